import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import {
  CREDENTIALS,
  newVerifier,
  startTestServer,
  toTokens,
  type Answer,
  type TestServer,
} from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});
beforeEach(() => {
  server.events.length = 0;
});

const { verifier, challenge } = newVerifier();

const challengeWith = (form: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  server.post('/authorize-challenge', {
    client_id: 'native',
    ...CREDENTIALS,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...form,
  });

const newCode = async (): Promise<string> => String((await challengeWith()).body['authorization_code']);

const exchange = (code: string, form: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  server.post('/token', {
    client_id: 'native',
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    ...form,
  });

const refused = { status: 400, body: { error: 'invalid_grant', reason: 'code' } };

describe('sign-in', () => {
  test('gives a code, and the code gives a session with the requested scope', async () => {
    const { body } = await challengeWith({ scope: 'notes', response_type: 'code' });
    const answer = await exchange(String(body['authorization_code']));
    expect(answer).toMatchObject({ status: 200, body: { scope: 'notes', token_type: 'Bearer', expires_in: 900 } });
    expect(answer.body['refresh_token_timeout']).toBe(14 * 86_400);
    expect(answer.body['authorization_expires_in']).toBe(30 * 86_400);
    expect(server.events).toContainEqual(expect.objectContaining({ type: 'session.created', replaces: null }));
  });

  test('ignores the case of the username', async () => {
    expect(await challengeWith({ username: 'ADA@Example.org' })).toMatchObject({ status: 200 });
  });

  test('does not reveal whether the username or the password was wrong', async () => {
    const wrongPassword = await challengeWith({ password: 'incorrect' });
    const wrongUser = await challengeWith({ username: 'nobody@example.org' });
    expect(wrongPassword).toMatchObject({ status: 400, body: { error: 'access_denied', reason: 'credentials' } });
    expect(wrongUser).toEqual(wrongPassword);
    expect(server.events.filter(({ type }) => type === 'sign_in.failed')).toHaveLength(2);
  });

  test('names a missing parameter', async () => {
    for (const missing of [{ username: '' }, { password: '' }, { username: '', password: '' }]) {
      expect(await challengeWith(missing)).toMatchObject({
        status: 403,
        body: { error: 'insufficient_authorization', reason: 'credentials_missing' },
      });
    }
  });

  test.each([
    ['no challenge', { code_challenge: '' }, 'invalid_request'],
    ['a plain challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['no challenge method', { code_challenge_method: '' }, 'invalid_request'],
    ['a challenge that is no SHA-256', { code_challenge: 'x' }, 'invalid_request'],
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
    ["scope beyond the client's", { scope: 'notes admin' }, 'invalid_scope'],
  ])('refuses %s', async (_, form, error) => {
    expect(await challengeWith(form)).toMatchObject({ status: 400, body: { error } });
  });
});

describe('an authorization code', () => {
  test('is useless without its verifier, and a failed try does not consume it', async () => {
    const code = await newCode();
    expect(await exchange(code, { code_verifier: newVerifier().verifier })).toMatchObject(refused);
    expect(await exchange(code, { client_id: 'other' })).toMatchObject(refused);
    expect(await exchange(code)).toMatchObject({ status: 200 });
  });

  test.each([{ replaces: '1' }, { device_secret: 'too-short' }])(
    'is not consumed by an exchange with a malformed %o',
    async (form) => {
      const code = await newCode();
      expect(await exchange(code, form)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
      expect(await exchange(code)).toMatchObject({ status: 200 });
    },
  );

  test('expires', async () => {
    const code = await newCode();
    await server.holdfast.database.query(
      "UPDATE holdfast.authorization_codes SET expires_at = now() - interval '1 ms'",
    );
    expect(await exchange(code)).toMatchObject(refused);
  });

  test('used twice ends the session that it made', async () => {
    const code = await newCode();
    const { refreshToken, sid } = toTokens(await exchange(code));
    expect(await exchange(code, { code_verifier: newVerifier().verifier })).toMatchObject(refused);
    expect(await server.refresh(refreshToken)).toMatchObject({ status: 200 });
    expect(await exchange(code)).toMatchObject(refused);
    expect(await server.refresh(refreshToken)).toMatchObject({ status: 400, body: { reason: 'revoked' } });
    expect(server.events).toContainEqual(
      expect.objectContaining({ type: 'session.revoked', sid, reason: 'code_reused' }),
    );
  });

  test('used twenty times at once makes one session at most', async () => {
    const code = await newCode();
    const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(code)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(19);
    expect(server.events.filter(({ type }) => type === 'session.created')).toHaveLength(1);
  });

  test('is stored as a hash', async () => {
    const code = await newCode();
    const { rows } = await server.holdfast.database.query<{ row: string }>(
      'SELECT authorization_codes::text AS row FROM holdfast.authorization_codes',
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.map(({ row }) => row).join()).not.toContain(code);
  });
});
