import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PendingRevocation } from './ports.ts';
import {
  encodeForm,
  parseObject,
  readChallengeAnswer,
  readRetryAfterMs,
  readTokenResponse,
  refreshRequest,
  revocationRequest,
  type WireConfig,
} from './wire.ts';

const config: WireConfig = {
  clientId: 'app',
  tokenEndpoint: 'https://as.example/token',
  challengeEndpoint: 'https://as.example/authorize-challenge',
  revocationEndpoint: 'https://as.example/revoke',
  sessionsEndpoint: 'https://as.example/sessions',
  issuer: 'https://as.example',
  scope: null,
  hasCookie: false,
};

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => ({
  status,
  headers,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

const jwt = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;

describe('token answers', () => {
  it('seconds become milliseconds, and the nearer end of the session counts', () => {
    const result = readTokenResponse(
      answer(200, {
        access_token: 'a',
        token_type: 'bearer',
        expires_in: 900,
        refresh_token: 'r',
        refresh_token_timeout: 3_600,
        authorization_expires_in: 86_400,
        sid: 's',
        sub: 'u',
        device_id: 'd',
        device_sequence: 3,
      }),
    );
    expect(result).toEqual({
      kind: 'tokens',
      tokens: {
        accessToken: 'a',
        tokenType: 'Bearer',
        lifetimeMs: 900_000,
        refreshToken: 'r',
        scope: null,
        sid: 's',
        sub: 'u',
        deviceId: 'd',
        deviceSequence: 3,
        sessionLifetimeMs: 3_600_000,
        isEndFixed: false,
      },
    });
  });

  it.each([
    ['both', { refresh_token_timeout: 3_600, authorization_expires_in: 1_800 }, true],
    ['the inactivity timeout alone', { refresh_token_timeout: 3_600 }, false],
    ['neither', {}, false],
  ])('tell whether the end can move, for a server that says %s', (_name, ends, isEndFixed) => {
    expect(readTokenResponse(answer(200, { access_token: 'a', ...ends }))).toMatchObject({ tokens: { isEndFixed } });
  });

  it.each([
    [
      'no refresh_token: the stored one stays (RFC 6749 §5.1)',
      { access_token: 'a', token_type: 'Bearer' },
      { refreshToken: null, lifetimeMs: 3_600_000 },
    ],
    [
      'expires_in as a string, as some servers send it',
      { access_token: 'a', expires_in: '60' },
      { lifetimeMs: 60_000 },
    ],
    ['a DPoP-bound token', { access_token: 'a', token_type: 'DPoP' }, { tokenType: 'DPoP' }],
    ['a negative expires_in is no lifetime', { access_token: 'a', expires_in: -5 }, { lifetimeMs: 3_600_000 }],
    ['a JWT without expires_in', { access_token: jwt({ iat: 0, exp: 9 }) }, { lifetimeMs: 3_600_000 }],
  ])('%s', (_name, body, tokens) => {
    expect(readTokenResponse(answer(200, body))).toMatchObject({ kind: 'tokens', tokens });
  });

  it('only invalid_grant in an OAuth error object ends a session', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.oneof(fc.json(), fc.string()), (status, body) => {
        const result = readTokenResponse(answer(status, body));
        if (result.kind !== 'rejected') return;
        expect(JSON.parse(body)).toMatchObject({ error: 'invalid_grant' });
        expect(status).toBeGreaterThanOrEqual(400);
        expect(status).toBeLessThan(500);
      }),
    );
    expect(readTokenResponse(answer(400, { error: 'invalid_grant', reason: 'reuse' }))).toEqual({
      kind: 'rejected',
      reason: 'reuse-detected',
      successor: null,
    });
    expect(readTokenResponse(answer(400, { error: 'invalid_grant', reason: 'replaced', successor: 's' }))).toEqual({
      kind: 'rejected',
      reason: 'revoked',
      successor: 's',
    });
    expect(readTokenResponse(answer(500, { error: 'invalid_grant' })).kind).toBe('transient');
  });
});

describe('JSON of an answer', () => {
  it.each([
    ['{"a":1}', { a: 1 }],
    [' \n{}', {}],
    ['[]', null],
    ['[{"a":1}]', null],
    ['"{}"', null],
    ['null', null],
    ['{', null],
    ['', null],
  ])('%j is read as %j, because a list is no object', (body, json) => {
    expect(parseObject(body)).toEqual(json);
  });
});

describe('challenge answers', () => {
  it.each([
    ['a code', 200, { authorization_code: 'c' }, 'code'],
    ['a wrong credential', 400, { error: 'access_denied', reason: 'credentials' }, 'rejected'],
    ['more is needed', 403, { error: 'insufficient_authorization', auth_session: 's' }, 'rejected'],
    ['a ceremony has begun', 200, { auth_session: 's', passkey_options: {} }, 'rejected'],
    ['a success that says nothing', 200, {}, 'transient'],
    ['a ceremony that took too long begins again', 400, { error: 'invalid_session' }, 'rejected'],
    ['too many tries: not now', 429, { error: 'temporarily_unavailable' }, 'transient'],
    ['a page on another origin', 403, { error: 'access_denied', reason: 'csrf' }, 'transient'],
    ['a proxy’s page', 403, '<html>', 'transient'],
  ])('%s', (_name, status, body, kind) => {
    expect(readChallengeAnswer(answer(status, body)).kind).toBe(kind);
  });
});

describe('Retry-After', () => {
  it.each([
    ['seconds', { 'retry-after': '3' }, 3_000],
    [
      'a date, against the Date of the same answer',
      { 'retry-after': 'Thu, 01 Jan 2026 00:00:10 GMT', date: 'Thu, 01 Jan 2026 00:00:00 GMT' },
      10_000,
    ],
    ['a date without a Date to measure it against', { 'retry-after': 'Thu, 01 Jan 2026 00:00:10 GMT' }, null],
    ['nonsense', { 'retry-after': 'soon' }, null],
    ['nothing', {}, null],
  ])('%s', (_name, headers, expected) => {
    expect(readRetryAfterMs(headers)).toBe(expected);
  });
});

describe('requests', () => {
  it('escape their values, also text that is not well-formed', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(fc.dictionary(text, text), (fields) => {
        const wellFormed = (value: string): string => Buffer.from(value).toString();
        const expected = Object.entries(fields).map(([name, value]) => [wellFormed(name), wellFormed(value)]);
        expect([...new URLSearchParams(encodeForm(fields))]).toEqual(expected);
      }),
    );
    expect(encodeForm({ password: 'half \ud800 of a pair' })).toBe('password=half%20%EF%BF%BD%20of%20a%20pair');
  });

  it('name a cookie session by its sid, with the header that a form cannot send', () => {
    const request = refreshRequest(
      { ...config, hasCookie: true },
      { session: { refreshToken: null, sid: 's1' }, isUserActive: true, isExtension: false, resource: null },
    );
    expect(request.headers['holdfast-request']).toBe('1');
    expect(Object.fromEntries(new URLSearchParams(request.body))).toEqual({
      client_id: 'app',
      grant_type: 'refresh_token',
      sid: 's1',
    });
  });

  it('send everywhere in a revocation only if it was asked for', () => {
    const session = { refreshToken: null, sid: 's1' };
    const sent = (revocation: PendingRevocation): unknown =>
      Object.fromEntries(new URLSearchParams(revocationRequest(config, revocation, 'device-secret').body));
    const always = { client_id: 'app', sid: 's1', device_secret: 'device-secret' };
    expect(sent(session)).toEqual(always);
    expect(sent({ ...session, everywhere: true })).toEqual({ ...always, everywhere: 'true' });
  });

  it('revoke by refresh token without a device secret', () => {
    const { body } = revocationRequest(config, { refreshToken: 'secret-token', sid: 's1' }, 'device-secret');
    expect(body).not.toContain('device-secret');
  });

  it('never carry a token in a URL', () => {
    for (const request of [
      refreshRequest(config, {
        session: { refreshToken: 'secret-token', sid: 's1' },
        isUserActive: false,
        isExtension: false,
        resource: null,
      }),
      revocationRequest(config, { refreshToken: 'secret-token', sid: 's1' }, 'device-secret'),
    ]) {
      expect(request.url).not.toContain('secret-token');
      expect(request.body).toContain('secret-token');
    }
  });
});
