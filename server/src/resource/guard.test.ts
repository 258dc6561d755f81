import { createHmac, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { signJws } from '../kernel/jws.ts';
import {
  AUDIENCE,
  createTestIssuer,
  createTestProofKey,
  encodeJwt,
  TOKEN_ISSUER,
  type TestIssuer,
} from '../testing/issuer.ts';
import {
  createResourceGuard,
  type ResourceGuard,
  type ResourceGuardOptions,
  type ResourceRequirement,
  type ResourceVerdict,
} from './guard.ts';

type Fixture = {
  readonly issuer: TestIssuer;
  readonly guard: ResourceGuard;
  readonly judge: (
    authorization: string | undefined,
    requirement?: ResourceRequirement,
    dpop?: string,
  ) => Promise<ResourceVerdict>;
};

function setUp(options: Partial<ResourceGuardOptions> = {}): Fixture {
  const issuer = createTestIssuer();
  const guard = createResourceGuard({ issuer: TOKEN_ISSUER, audience: AUDIENCE, fetch: issuer.fetch, ...options });
  return {
    issuer,
    guard,
    judge: (authorization, requirement, dpop) =>
      guard.check({ method: 'GET', target: '/notes?page=2', authorization, dpop }, requirement),
  };
}

const INVALID = {
  ok: false,
  status: 401,
  error: 'invalid_token',
  headers: { 'www-authenticate': expect.stringMatching(/^Bearer error="invalid_token"/) },
};

test('admits a valid token with its claims', async () => {
  const { judge, issuer } = setUp();
  expect(await judge(`Bearer ${issuer.token({ sub: 'ada' })}`)).toMatchObject({ ok: true, claims: { sub: 'ada' } });
  expect(await judge(`bearer ${issuer.token({ aud: ['https://other.example', AUDIENCE] })}`)).toMatchObject({
    ok: true,
  });
  expect(await judge(`Bearer ${issuer.token({}, { typ: 'application/AT+JWT' })}`)).toMatchObject({ ok: true });
});

test('answers a request without a token with the accepted schemes and no error', async () => {
  const { judge, issuer } = setUp();
  for (const authorization of [
    undefined,
    '',
    'Bearer',
    'Basic eDp5',
    'Bearer a b',
    `Bearer ${issuer.token()}, Bearer x`,
  ]) {
    expect(await judge(authorization)).toEqual({
      ok: false,
      status: 401,
      error: null,
      headers: { 'www-authenticate': expect.stringMatching(/^Bearer, DPoP algs="ES256 /) },
    });
  }
  expect(issuer.fetched).toEqual([]);
});

describe('sends reason="audience" for a token for another audience, as the endpoints of the server do', () => {
  const reason = (verdict: ResourceVerdict): string | undefined =>
    verdict.ok ? 'ok' : /reason="(\w+)"/.exec(verdict.headers['www-authenticate'] ?? '')?.[1];

  test.each([
    ['for one', 'https://other.example'],
    ['for several', ['https://other.example', 'https://third.example']],
    ['for the issuer', TOKEN_ISSUER],
    ['for the issuer as well', [AUDIENCE, TOKEN_ISSUER]],
  ])('%s', async (_name, aud) => {
    const { judge, issuer } = setUp();
    const verdict = await judge(`Bearer ${issuer.token({ aud })}`);
    expect(verdict).toMatchObject({
      ...INVALID,
      headers: {
        'www-authenticate':
          'Bearer error="invalid_token", error_description="The access token is for another audience", reason="audience"',
      },
    });
  });

  test('except for a token that is invalid for every audience', async () => {
    const { judge, issuer } = setUp();
    const aud = 'https://other.example';
    const expired = issuer.token({ aud, exp: Math.floor(Date.now() / 1_000) - 60 });
    const forged = `${issuer.token({ aud }).slice(0, -40)}${'A'.repeat(40)}`;
    for (const token of [
      expired,
      forged,
      issuer.token({ aud: undefined }),
      issuer.token({ aud: [] }),
      issuer.token({ aud: [1] }),
    ]) {
      const verdict = await judge(`Bearer ${token}`);
      expect(verdict).toMatchObject(INVALID);
      expect(reason(verdict)).toBeUndefined();
    }
  });
});

describe('refuses', () => {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const wrongClaims: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ['no expiry', { exp: undefined }],
    ['an expiry that is no number', { exp: '9999999999' }],
    ['an expiry that is null', { exp: null }],
    ['an expired token', { exp: nowSeconds - 60 }],
    ['a token from the future', { iat: nowSeconds + 60 }],
    ['a token that is not valid yet', { nbf: nowSeconds + 60 }],
    ['a nbf that is no number', { nbf: 'now' }],
    ['another issuer', { iss: 'https://evil.example' }],
    ['an issuer with a slash more', { iss: `${TOKEN_ISSUER}/` }],
    ['no issuer', { iss: undefined }],
    ['another audience', { aud: 'https://other.example' }],
    ['other audiences', { aud: ['https://other.example'] }],
    ['an audience that contains ours', { aud: `${AUDIENCE}.evil.example` }],
    ['no audience', { aud: undefined }],
    ['no subject', { sub: undefined }],
    ['a subject that is no string', { sub: 7 }],
    ['no client', { client_id: undefined }],
    ['no session', { sid: undefined }],
    ['no token id', { jti: undefined }],
    ['a scope that is no string', { scope: ['notes'] }],
    ['an unknown way of binding', { cnf: { 'x5t#S256': 'A'.repeat(43) } }],
    ['a binding without a thumbprint', { cnf: {} }],
    ['a binding that is null', { cnf: null }],
  ];
  test.each(wrongClaims)('%s', async (_name, claims) => {
    const { judge, issuer } = setUp();
    expect(await judge(`Bearer ${issuer.token(claims)}`)).toMatchObject(INVALID);
  });

  const wrongHeaders: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ['an ID token', { typ: 'JWT' }],
    ['a token without a type', { typ: undefined }],
    ['a DPoP proof in the place of a token', { typ: 'dpop+jwt' }],
    ['a logout token', { typ: 'logout+jwt' }],
    ['a critical extension that nobody knows', { crit: ['exp'], exp: 1 }],
    ['an empty list of critical extensions', { crit: [] }],
    ['an unencoded payload', { b64: false, crit: ['b64'] }],
    ['no key id', { kid: undefined }],
    ['a key id that is no string', { kid: ['current'] }],
    ['an unknown key id', { kid: 'made up' }],
    ['a key id that reaches for a file', { kid: '../../../../dev/null' }],
    ['a key id that reaches into a statement', { kid: "' OR 1=1 --" }],
    ['a key id of every object', { kid: '__proto__' }],
    ['the key under another algorithm', { alg: 'EdDSA' }],
    ['the key under an algorithm of no signature', { alg: 'none' }],
    ['the key under an algorithm in another case', { alg: 'es256' }],
    ['the key under a symmetric algorithm', { alg: 'HS256' }],
    ['an algorithm that is no string', { alg: ['ES256'] }],
  ];
  test.each(wrongHeaders)('%s', async (_name, header) => {
    const { judge, issuer } = setUp();
    expect(await judge(`Bearer ${issuer.token({}, header)}`)).toMatchObject(INVALID);
  });

  test('a token without a signature', async () => {
    const { judge, issuer } = setUp();
    const [header, claims] = issuer.token().split('.');
    const none = encodeJwt({ alg: 'none', typ: 'at+jwt', kid: issuer.kid }, {}).split('.')[0];
    for (const token of [
      `${none}.${claims}.`,
      `${header}.${claims}.`,
      `${none}.${claims}.${'A'.repeat(86)}`,
      `${header}.${claims}`,
    ]) {
      expect(await judge(`Bearer ${token}`)).toMatchObject({ ok: false, status: 401 });
    }
  });

  test('a token that is signed with the public key as a shared secret', async () => {
    const { judge, issuer } = setUp();
    const claims = JSON.parse(Buffer.from(issuer.token().split('.')[1] ?? '', 'base64url').toString()) as object;
    const secrets = [
      issuer.publicKey.export({ type: 'spki', format: 'pem' }),
      issuer.publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(issuer.keys[0]),
    ];
    for (const secret of secrets) {
      const input = encodeJwt({ alg: 'HS256', typ: 'at+jwt', kid: issuer.kid }, claims);
      const signature = createHmac('sha256', secret).update(input).digest('base64url');
      expect(await judge(`Bearer ${input}.${signature.padEnd(86, 'A')}`)).toMatchObject(INVALID);
    }
  });

  test('a token whose header contains or names its own key', async () => {
    const { judge, issuer } = setUp();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const claims = JSON.parse(Buffer.from(issuer.token().split('.')[1] ?? '', 'base64url').toString()) as object;
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'evil', alg: 'ES256' };
    for (const extra of [
      { jwk },
      { jku: 'https://evil.example/jwks.json', kid: 'evil' },
      { x5u: 'https://evil.example/chain.pem' },
      { x5c: [publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] },
    ]) {
      const input = encodeJwt({ alg: 'ES256', typ: 'at+jwt', kid: issuer.kid, ...extra }, claims);
      const token = `${input}.${signJws('ES256', privateKey, input).toString('base64url')}`;
      expect(await judge(`Bearer ${token}`)).toMatchObject(INVALID);
    }
    expect(new Set(issuer.fetched)).toEqual(
      new Set(['/.well-known/oauth-authorization-server', '/.well-known/jwks.json']),
    );
  });

  test('a token with any character changed', async () => {
    const { judge, issuer } = setUp();
    const token = issuer.token();
    // The last character of a 64-byte signature has unused bits.
    for (let at = 0; at < token.length - 1; at += 7) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      expect(await judge(`Bearer ${changed}`)).toMatchObject({ ok: false, status: 401 });
    }
  });

  test('a key that is published for encryption, for another algorithm or with its private part', async () => {
    for (const change of [{ use: 'enc' }, { alg: 'ES384' }, { alg: undefined }, { d: 'A'.repeat(43) }]) {
      const { judge, issuer } = setUp();
      issuer.keys[0] = { ...issuer.keys[0], ...change };
      expect(await judge(`Bearer ${issuer.token()}`)).toMatchObject(INVALID);
    }
  });

  test('an algorithm that this resource server does not accept', async () => {
    const { judge, issuer } = setUp({ algorithms: ['EdDSA'] });
    expect(await judge(`Bearer ${issuer.token()}`)).toMatchObject(INVALID);
  });
});

test('allows two clocks the same few seconds of difference', async () => {
  const { judge, issuer } = setUp();
  const nowSeconds = Math.floor(Date.now() / 1_000);
  expect(await judge(`Bearer ${issuer.token({ exp: nowSeconds - 3 })}`)).toMatchObject({ ok: true });
  for (const seconds of [4, 8, 10]) {
    expect(await judge(`Bearer ${issuer.token({ iat: nowSeconds + seconds })}`)).toMatchObject({ ok: true });
    expect(await judge(`Bearer ${issuer.token({ nbf: nowSeconds + seconds })}`)).toMatchObject({ ok: true });
  }
  expect(await judge(`Bearer ${issuer.token({ iat: nowSeconds + 30 })}`)).toMatchObject(INVALID);
  expect(await judge(`Bearer ${issuer.token({ nbf: nowSeconds + 30 })}`)).toMatchObject(INVALID);
  const strict = setUp({ clockToleranceSeconds: 0 });
  expect(await strict.judge(`Bearer ${strict.issuer.token({ exp: nowSeconds - 3 })}`)).toMatchObject(INVALID);
});

describe('scope and step-up', () => {
  test('too little scope is 403 and names the required scope', async () => {
    const { judge, issuer } = setUp();
    const token = `Bearer ${issuer.token({ scope: 'notes' })}`;
    expect(await judge(token, { scope: ['notes'] })).toMatchObject({ ok: true });
    expect(await judge(token, { scope: ['notes', 'admin'] })).toEqual({
      ok: false,
      status: 403,
      error: 'insufficient_scope',
      headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="notes admin"' },
    });
    expect(await judge(`Bearer ${issuer.token({ scope: '' })}`, { scope: ['notes'] })).toMatchObject({ status: 403 });
  });

  test('too old or too weak an authentication is 401 and names the required one', async () => {
    const { judge, issuer } = setUp();
    const token = `Bearer ${issuer.token()}`;
    expect(await judge(token, { maxAgeSeconds: 300, acrValues: ['aal1'] })).toMatchObject({ ok: true });
    expect(await judge(token, { maxAgeSeconds: 30 })).toMatchObject({
      status: 401,
      error: 'insufficient_user_authentication',
      headers: { 'www-authenticate': expect.stringMatching(/^Bearer .*max_age="30"/) },
    });
    expect(await judge(token, { acrValues: ['aal2'] })).toMatchObject({
      error: 'insufficient_user_authentication',
      headers: { 'www-authenticate': expect.stringContaining('acr_values="aal2"') },
    });
  });
});

describe('a bound token', () => {
  const url = `${AUDIENCE}/notes?page=2`;

  test('needs a proof by its own key, for this request and this token', async () => {
    const { judge, issuer } = setUp();
    const [own, other] = [createTestProofKey(), createTestProofKey()];
    const token = issuer.token({ cnf: { jkt: own.jkt } });
    const prove = (key = own, method = 'GET', target = url, bearer = token): string =>
      key.prove({ method, url: target, token: bearer });
    expect(await judge(`DPoP ${token}`, {}, prove())).toMatchObject({ ok: true });
    const refused = [
      ['another key', prove(other), 'invalid_token'],
      ['another method', prove(own, 'POST'), 'invalid_dpop_proof'],
      ['another path', prove(own, 'GET', `${AUDIENCE}/admin`), 'invalid_dpop_proof'],
      ['another server', prove(own, 'GET', 'https://evil.example/notes'), 'invalid_dpop_proof'],
      ['another token', prove(own, 'GET', url, issuer.token()), 'invalid_dpop_proof'],
      ['no proof', undefined, 'invalid_dpop_proof'],
      ['an access token as proof', token, 'invalid_dpop_proof'],
      ['two proofs', `${prove()}, ${prove()}`, 'invalid_dpop_proof'],
    ] as const;
    for (const [name, proof, error] of refused) {
      expect([name, await judge(`DPoP ${token}`, {}, proof)]).toMatchObject([name, { ok: false, status: 401, error }]);
    }
  });

  test('is refused as a bearer token, and a bearer token as a bound one', async () => {
    const { judge, issuer } = setUp();
    const key = createTestProofKey();
    const bound = issuer.token({ cnf: { jkt: key.jkt } });
    const proof = key.prove({ method: 'GET', url, token: bound });
    expect(await judge(`Bearer ${bound}`, {}, proof)).toMatchObject({ ok: false, error: 'invalid_token' });
    expect(await judge(`Bearer ${bound}`)).toMatchObject({
      error: 'invalid_token',
      headers: { 'www-authenticate': expect.stringMatching(/^DPoP .*algs="ES256/) },
    });
    const bearer = issuer.token();
    expect(await judge(`DPoP ${bearer}`, {}, key.prove({ method: 'GET', url, token: bearer }))).toMatchObject(INVALID);
  });

  test('accepts each proof once', async () => {
    const { judge, issuer } = setUp();
    const key = createTestProofKey();
    const token = issuer.token({ cnf: { jkt: key.jkt } });
    const proof = key.prove({ method: 'GET', url, token });
    expect(await judge(`DPoP ${token}`, {}, proof)).toMatchObject({ ok: true });
    expect(await judge(`DPoP ${token}`, {}, proof)).toMatchObject({ ok: false, error: 'invalid_dpop_proof' });
  });

  test('is asked for a nonce and given one if the resource server requires it', async () => {
    const { judge, issuer } = setUp({ dpopNonceSecret: 'thirty-two bytes from a random source' });
    const key = createTestProofKey();
    const token = issuer.token({ cnf: { jkt: key.jkt } });
    const refused = await judge(`DPoP ${token}`, {}, key.prove({ method: 'GET', url, token }));
    expect(refused).toMatchObject({ ok: false, status: 401, error: 'use_dpop_nonce' });
    const nonce = refused.ok ? '' : refused.headers['dpop-nonce'];
    expect(await judge(`DPoP ${token}`, {}, key.prove({ method: 'GET', url, token }, { nonce }))).toMatchObject({
      ok: true,
    });
  });

  test('is the only accepted token if binding is required', async () => {
    const { judge, issuer } = setUp({ isDpopRequired: true });
    expect(await judge(undefined)).toMatchObject({
      headers: { 'www-authenticate': expect.stringMatching(/^DPoP algs=/) },
    });
    expect(await judge(`Bearer ${issuer.token()}`)).toMatchObject({ ok: false, error: 'invalid_token' });
  });
});

describe('ended sessions', () => {
  test('have their tokens refused, and no other session has', async () => {
    const { judge, issuer } = setUp({ revocations: { isRevoked: (sid) => sid === 'ended', ageSeconds: () => 0 } });
    expect(await judge(`Bearer ${issuer.token({ sid: 'ended' })}`)).toMatchObject(INVALID);
    expect(await judge(`Bearer ${issuer.token({ sid: 'alive' })}`)).toMatchObject({ ok: true });
  });

  test('old news is accepted without a limit, and with one the answer is 503, which signs no user out', async () => {
    const revocations = { isRevoked: () => false, ageSeconds: () => 100 };
    const lenient = setUp({ revocations });
    expect(await lenient.judge(`Bearer ${lenient.issuer.token()}`)).toMatchObject({ ok: true });
    const strict = setUp({ revocations, maximumRevocationAgeSeconds: 60 });
    expect(await strict.judge(`Bearer ${strict.issuer.token()}`)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
    });
  });
});

test('an authorization server that does not answer causes 503 instead of a refused token', async () => {
  const { judge, issuer } = setUp();
  issuer.setReachable(false);
  expect(await judge(`Bearer ${issuer.token()}`)).toMatchObject({
    ok: false,
    status: 503,
    error: 'temporarily_unavailable',
  });
});

test('names the wrong option', () => {
  const sound = { issuer: TOKEN_ISSUER, audience: AUDIENCE };
  const wrong: readonly (readonly [Partial<ResourceGuardOptions>, RegExp])[] = [
    [{ issuer: 'http://id.example' }, /options\.issuer/],
    [{ issuer: `${TOKEN_ISSUER}/path` }, /options\.issuer/],
    [{ audience: '' }, /options\.audience/],
    [{ audience: 'notes-api' }, /options\.origin/],
    [{ jwksUri: 'http://id.example/jwks' }, /options\.jwksUri/],
    [{ algorithms: [] }, /options\.algorithms/],
    [{ dpopNonceSecret: 'short' }, /options\.dpopNonceSecret/],
  ];
  for (const [options, message] of wrong) {
    expect(() => createResourceGuard({ ...sound, ...options })).toThrow(message);
  }
});
