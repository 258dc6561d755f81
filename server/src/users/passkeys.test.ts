import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import {
  createSoftAuthenticator,
  type CeremonyOptions,
  type Deviation,
  type SoftAuthenticator,
} from '../testing/authenticator.ts';
import {
  ISSUER,
  newVerifier,
  startTestServer,
  toTokens,
  type Answer,
  type TestServer,
  type Tokens,
} from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;
let session: Tokens;
let account: { readonly username: string; readonly password: string };
let sub: string;
let accounts = 0;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});
// A new user for each test.
beforeEach(async () => {
  account = { username: `user ${++accounts}`, password: 'correct horse battery' };
  ({ sub } = await server.holdfast.users.create({ ...account, name: 'Ada' }));
  session = await server.signIn('native', account);
});

const optionsOf = ({ body }: Answer): CeremonyOptions => body['passkey_options'] as CeremonyOptions;

/** Registers a new authenticator for the signed-in user. */
async function register(deviation: Deviation = {}): Promise<{ authenticator: SoftAuthenticator; answer: Answer }> {
  const authenticator = createSoftAuthenticator(ISSUER);
  const begun = await server.ask('POST', '/passkeys/options', session.accessToken);
  const answer = await server.ask('POST', '/passkeys', session.accessToken, {
    auth_session: String(begun.body['auth_session']),
    passkey_response: authenticator.create(optionsOf(begun), deviation),
    name: 'My phone',
  });
  return { authenticator, answer };
}

/** Starts a sign-in that awaits its response. */
async function begin(clientId = 'native'): Promise<{
  readonly form: Readonly<Record<string, string>>;
  readonly options: CeremonyOptions;
  readonly verifier: string;
}> {
  const { challenge, verifier } = newVerifier();
  const form = { client_id: clientId, code_challenge: challenge, code_challenge_method: 'S256' };
  const begun = await server.post('/authorize-challenge', form);
  expect(begun).toMatchObject({ status: 403, body: { error: 'insufficient_authorization' } });
  return {
    form: { ...form, auth_session: String(begun.body['auth_session']) },
    options: optionsOf(begun),
    verifier,
  };
}

async function signIn(authenticator: SoftAuthenticator, deviation: Deviation = {}): Promise<Answer> {
  const { form, options } = await begin();
  return server.post('/authorize-challenge', { ...form, passkey_response: authenticator.get(options, deviation) });
}

describe('a passkey', () => {
  test('is requested without an error, and signs its user in', async () => {
    const { authenticator } = await register();
    const { challenge } = newVerifier();
    const form = { client_id: 'native', code_challenge: challenge, code_challenge_method: 'S256' };
    const begun = await server.post('/authorize-challenge', { ...form, passkey_options: 'true' });
    expect(begun.status).toBe(200);
    const response = authenticator.get(optionsOf(begun));
    const { auth_session } = begun.body as { readonly auth_session: string };
    const signedIn = await server.post('/authorize-challenge', { ...form, auth_session, passkey_response: response });
    expect(signedIn.status).toBe(200);
    expect(signedIn.body['authorization_code']).toEqual(expect.any(String));
  });

  test.each(['yes', '1', 'True'])(
    'is not requested by %s, and the client learns that its flag is invalid',
    async (flag) => {
      const form = { client_id: 'native', code_challenge: newVerifier().challenge, code_challenge_method: 'S256' };
      const { status, body } = await server.post('/authorize-challenge', { ...form, passkey_options: flag });
      expect([status, body['error']]).toEqual([400, 'invalid_request']);
      expect(body['error_description']).toBe('passkey_options is true or false');
    },
  );

  test('signs its user in, and the token names the method', async () => {
    const { authenticator, answer } = await register({ isBackedUp: true });
    expect(answer).toMatchObject({
      status: 201,
      body: { id: authenticator.credentialId, name: 'My phone', backup_eligible: true, backed_up: true },
    });
    const { form, options, verifier } = await begin();
    expect(options).toMatchObject({ rpId: 'id.example', userVerification: 'required' });
    expect(options).not.toHaveProperty('allowCredentials');
    const signedIn = await server.post('/authorize-challenge', {
      ...form,
      passkey_response: authenticator.get(options),
    });
    const tokens = await server.post('/token', {
      client_id: 'native',
      grant_type: 'authorization_code',
      code: String(signedIn.body['authorization_code']),
      code_verifier: verifier,
    });
    const verdict = await server.holdfast.verifyAccessToken(`Bearer ${toTokens(tokens).accessToken}`);
    expect(verdict).toMatchObject({ ok: true, claims: { sub, amr: ['swk', 'user', 'mfa'], acr: 'aal2' } });
    const listed = await server.ask('GET', '/passkeys', session.accessToken);
    expect(listed.body['passkeys']).toContainEqual(
      expect.objectContaining({ id: authenticator.credentialId, last_used_at: expect.any(Number), backed_up: false }),
    );
  });

  test('with one response sent 64 times at once yields one code, so an intercepted response is useless', async () => {
    const { authenticator } = await register();
    const { form, options } = await begin();
    const response = { ...form, passkey_response: authenticator.get(options) };
    const answers = await Promise.all(Array.from({ length: 64 }, () => server.post('/authorize-challenge', response)));
    const codes = answers.filter(({ status }) => status === 200);
    expect(codes).toHaveLength(1);
    for (const refused of answers.filter((answer) => !codes.includes(answer))) {
      expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_session' } });
    }
  });

  test('with one response sent to two nodes at once yields one code', async () => {
    const other = await startTestServer(database.databaseUrl);
    const { authenticator } = await register();
    for (let times = 0; times < 8; times++) {
      const { form, options } = await begin();
      const response = { ...form, passkey_response: authenticator.get(options) };
      const answers = await Promise.all([server, other].map((node) => node.post('/authorize-challenge', response)));
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 400]);
    }
    await other.holdfast.close();
  });

  test('is requested without naming any, so the response reveals no user and no credential', async () => {
    await register();
    expect((await begin()).options.allowCredentials ?? []).toEqual([]);
  });

  test("of one user with another user's handle is refused", async () => {
    const { authenticator } = await register();
    account = { username: `user ${++accounts}`, password: 'correct horse battery' };
    await server.holdfast.users.create({ ...account, name: 'Bob' });
    session = await server.signIn('native', account);
    const userHandle = optionsOf(await server.ask('POST', '/passkeys/options', session.accessToken)).user?.id ?? '';
    await register();
    expect(await signIn(authenticator, { userHandle })).toMatchObject({ status: 400, body: { reason: 'credentials' } });
  });

  test('answers only its own challenge, of its own sign-in, client and time', async () => {
    const { authenticator } = await register();
    const one = await begin();
    const two = await begin();
    const crossed = { ...one.form, passkey_response: authenticator.get(two.options) };
    expect(await server.post('/authorize-challenge', crossed)).toMatchObject({ body: { error: 'access_denied' } });
    // The failed attempt has spent the challenge, so verification cannot be tried twice.
    const again = { ...one.form, passkey_response: authenticator.get(one.options) };
    expect(await server.post('/authorize-challenge', again)).toMatchObject({ body: { error: 'invalid_session' } });

    const response = { passkey_response: authenticator.get(two.options) };
    for (const change of [{ code_challenge: newVerifier().challenge }, { client_id: 'other' }]) {
      const moved = { ...two.form, ...response, ...change };
      expect(await server.post('/authorize-challenge', moved)).toMatchObject({ body: { error: 'invalid_session' } });
    }
    const session = `${two.form['auth_session']?.slice(0, -1)}_`;
    const forged = { ...two.form, ...response, auth_session: session === two.form['auth_session'] ? 'A' : session };
    expect(await server.post('/authorize-challenge', forged)).toMatchObject({ body: { error: 'invalid_session' } });
    expect(await server.post('/authorize-challenge', { ...two.form, ...response })).toMatchObject({ status: 200 });
  });

  test('with an expired challenge is requested again', async () => {
    const brief = await startTestServer(database.databaseUrl, { policy: { passkeyChallengeLifetimeSeconds: 1 } });
    const { authenticator } = await register();
    const { challenge } = newVerifier();
    const form = { client_id: 'native', code_challenge: challenge, code_challenge_method: 'S256' };
    const begun = await brief.post('/authorize-challenge', form);
    await server.holdfast.database.query('SELECT pg_sleep(1.1)');
    const late = await brief.post('/authorize-challenge', {
      ...form,
      auth_session: String(begun.body['auth_session']),
      passkey_response: authenticator.get(optionsOf(begun)),
    });
    expect(late).toMatchObject({ status: 400, body: { error: 'invalid_session' } });
    await brief.holdfast.close();
  });

  // The authenticator stores the handle, and some authenticators display it.
  test('carries a random user handle, the same at each registration, that reveals nothing about the user', async () => {
    const handles = [];
    for (let times = 0; times < 2; times++) {
      const begun = await server.ask('POST', '/passkeys/options', session.accessToken);
      handles.push(Buffer.from(optionsOf(begun).user?.id ?? '', 'base64url'));
    }
    expect(handles[0]).toHaveLength(32);
    expect(handles[1]).toEqual(handles[0]);
    expect(handles[0]?.toString('hex')).not.toContain(sub.replaceAll('-', ''));
    const { authenticator } = await register();
    expect(await signIn(authenticator, { userHandle: handles[0]?.toString('base64url') ?? '' })).toMatchObject({
      status: 200,
    });
  });

  test('signs in with the handle that it was made with, as passkeys of earlier versions do', async () => {
    const { authenticator } = await register();
    const earlier = Buffer.from(sub.replaceAll('-', ''), 'hex');
    await server.holdfast.database.query('UPDATE holdfast.passkeys SET user_handle = $2 WHERE user_id = $1', [
      sub,
      earlier,
    ]);
    expect(await signIn(authenticator)).toMatchObject({ status: 400 });
    expect(await signIn(authenticator, { userHandle: earlier.toString('base64url') })).toMatchObject({ status: 200 });
  });

  // Each case is a step of WebAuthn Level 3 §7.2. Without it, another person than the user at the device gets in.
  test.each<[string, Deviation]>([
    ['of a page of another origin', { origin: 'https://id.example.evil.example' }],
    ['inside a frame of another site', { crossOrigin: true }],
    ['that does not say clearly that it is not in a frame', { crossOrigin: 'false' }],
    ['that names the site around its frame', { topOrigin: 'https://evil.example' }],
    ['for another relying party', { rpId: 'evil.example' }],
    ['from another ceremony', { type: 'webauthn.create' }],
    ['for another challenge', { challenge: 'A'.repeat(43) }],
    ['by another key', { isForged: true }],
    ['without the user present', { isUserPresent: false }],
    ['without user verification', { isUserVerified: false }],
    ['without a user handle', { userHandle: null }],
    ["with another user's handle", { userHandle: 'AAAAAAAAAAAAAAAAAAAAAA' }],
    ['backed up although it cannot be', { isBackupEligible: false, isBackedUp: true }],
    ['of another kind than it was registered as', { isBackupEligible: false }],
  ])('%s is refused', async (_case, deviation) => {
    const { authenticator } = await register();
    expect(await signIn(authenticator, deviation)).toMatchObject({
      status: 400,
      body: { error: 'access_denied', reason: 'credentials' },
    });
    expect(await signIn(authenticator)).toMatchObject({ status: 200 });
  });

  test('whose counter goes back signs in, and an event reports it', async () => {
    const { authenticator } = await register({ signCount: 7 });
    expect(await signIn(authenticator, { signCount: 9 })).toMatchObject({ status: 200 });
    const before = server.events.length;
    expect(await signIn(authenticator, { signCount: 9 })).toMatchObject({ status: 200 });
    expect(server.events.slice(before)).toContainEqual(
      expect.objectContaining({ type: 'passkey.counter_regressed', credentialId: authenticator.credentialId }),
    );
  });

  test('that is not registered is reported as unknown, so that its provider can remove it', async () => {
    expect(await signIn(createSoftAuthenticator(ISSUER))).toMatchObject({
      status: 400,
      body: { error: 'access_denied', reason: 'passkey_unknown' },
    });
  });

  test.each(['{}', 'null', '[]', '{"id":"a"}', '{"id":"a","rawId":"a","type":"public-key","response":{}}', 'x'])(
    'whose response is %j is a malformed request and spends its challenge',
    async (response) => {
      const { authenticator } = await register();
      const { form, options } = await begin();
      const malformed = await server.post('/authorize-challenge', { ...form, passkey_response: response });
      expect(malformed).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
      const honest = { ...form, passkey_response: authenticator.get(options) };
      expect(await server.post('/authorize-challenge', honest)).toMatchObject({ body: { error: 'invalid_session' } });
    },
  );

  test('with an empty response counts as unanswered, so its challenge is still valid', async () => {
    const { authenticator } = await register();
    const { form, options } = await begin();
    const empty = await server.post('/authorize-challenge', { ...form, passkey_response: '' });
    expect(empty).toMatchObject({ status: 403, body: { error: 'insufficient_authorization' } });
    const honest = { ...form, passkey_response: authenticator.get(options) };
    expect(await server.post('/authorize-challenge', honest)).toMatchObject({ status: 200 });
  });

  test('of a disabled user does not sign in', async () => {
    const { authenticator } = await register();
    await server.holdfast.users.disable(sub);
    expect(await signIn(authenticator)).toMatchObject({ status: 400, body: { error: 'access_denied' } });
    await server.holdfast.users.enable(sub);
    expect(await signIn(authenticator)).toMatchObject({ status: 200 });
  });
});

describe('registering a passkey', () => {
  test('requires user verification and a challenge of this session', async () => {
    expect((await register({ isUserVerified: false })).answer).toMatchObject({
      status: 400,
      body: { error: 'access_denied' },
    });
    expect((await register({ origin: 'https://evil.example' })).answer).toMatchObject({ status: 400 });
    const begun = await server.ask('POST', '/passkeys/options', session.accessToken);
    const form = {
      auth_session: String(begun.body['auth_session']),
      passkey_response: createSoftAuthenticator(ISSUER).create(optionsOf(begun)),
    };
    const other = await server.signIn('native', account);
    expect(await server.ask('POST', '/passkeys', other.accessToken, form)).toMatchObject({
      body: { error: 'invalid_session' },
    });
    expect(await server.ask('POST', '/passkeys', session.accessToken, form)).toMatchObject({ status: 201 });
    expect(await server.ask('POST', '/passkeys', session.accessToken, form)).toMatchObject({
      body: { error: 'invalid_session' },
    });
  });

  test('excludes registered credentials', async () => {
    const { authenticator } = await register();
    const begun = await server.ask('POST', '/passkeys/options', session.accessToken);
    const options = begun.body['passkey_options'] as Readonly<Record<string, unknown>>;
    expect(options['excludeCredentials']).toContainEqual(expect.objectContaining({ id: authenticator.credentialId }));
    expect(options).toMatchObject({
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    });
  });

  test('and removing one require a recent authentication, so an unattended session cannot be made permanent', async () => {
    const { authenticator } = await register();
    await server.alter(session.sid, "auth_time = auth_time - interval '1 hour'");
    const stale = String((await server.refresh(session.refreshToken)).body['access_token']);
    const attempts = [
      await server.ask('POST', '/passkeys/options', stale),
      await server.ask('DELETE', `/passkeys/${authenticator.credentialId}`, stale),
    ];
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({ status: 401, body: { error: 'insufficient_user_authentication' } });
      expect(attempt.headers['www-authenticate']).toContain('max_age="300"');
    }
    expect(await server.ask('GET', '/passkeys', stale)).toMatchObject({ status: 200 });
  });

  test('that began in time completes, however long the user took, because a step-up in between would lose it', async () => {
    const begun = await server.ask('POST', '/passkeys/options', session.accessToken);
    await server.alter(session.sid, "auth_time = auth_time - interval '1 hour'");
    const stale = String((await server.refresh(session.refreshToken)).body['access_token']);
    const answer = await server.ask('POST', '/passkeys', stale, {
      auth_session: String(begun.body['auth_session']),
      passkey_response: createSoftAuthenticator(ISSUER).create(optionsOf(begun)),
    });
    expect(answer).toMatchObject({ status: 201 });
  });

  test('fails once the session has ended, although its access token is still valid', async () => {
    await server.holdfast.sessions.revoke(session.sid);
    const refused = await server.ask('POST', '/passkeys/options', session.accessToken);
    expect(refused).toMatchObject({ status: 401, body: { error: 'invalid_token' } });
  });

  test('fails at the limit', async () => {
    const strict = await startTestServer(database.databaseUrl, { policy: { passkeysPerUser: 1 } });
    await register();
    const begun = await strict.ask('POST', '/passkeys/options', session.accessToken);
    const answer = await strict.ask('POST', '/passkeys', session.accessToken, {
      auth_session: String(begun.body['auth_session']),
      passkey_response: createSoftAuthenticator(ISSUER).create(optionsOf(begun)),
    });
    expect(answer).toMatchObject({ status: 409, body: { reason: 'passkey_taken' } });
    await strict.holdfast.close();
  });
});

describe("a user's passkeys", () => {
  test('are renamed and removed by their own user only', async () => {
    const { authenticator } = await register();
    const path = `/passkeys/${authenticator.credentialId}`;
    await server.holdfast.users.create({ username: 'eve', password: 'eavesdropper', name: 'Eve' });
    const eve = await server.signIn('native', { username: 'eve', password: 'eavesdropper' });
    expect(await server.ask('PATCH', path, eve.accessToken, { name: 'Mine' })).toMatchObject({ status: 404 });
    expect(await server.ask('DELETE', path, eve.accessToken)).toMatchObject({ status: 404 });
    expect(await server.ask('PATCH', path, session.accessToken, { name: 'Old phone' })).toMatchObject({
      status: 200,
      body: { name: 'Old phone' },
    });
    expect(await server.ask('DELETE', path, session.accessToken)).toMatchObject({ status: 204 });
    expect(await signIn(authenticator)).toMatchObject({ body: { reason: 'passkey_unknown' } });
    expect(await server.ask('DELETE', path, session.accessToken)).toMatchObject({ status: 404 });
  });

  test('and password include a last credential that stays, also if two are removed at once', async () => {
    expect(await server.ask('DELETE', '/password', session.accessToken)).toMatchObject({
      status: 409,
      body: { reason: 'last_credential' },
    });
    const { authenticator } = await register();
    const outcomes = await Promise.all([
      server.ask('DELETE', '/password', session.accessToken),
      server.ask('DELETE', `/passkeys/${authenticator.credentialId}`, session.accessToken),
    ]);
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([204, 409]));
  });

  test('a code of a removed passkey makes no session', async () => {
    const { authenticator } = await register();
    const { form, options, verifier } = await begin();
    const { body } = await server.post('/authorize-challenge', {
      ...form,
      passkey_response: authenticator.get(options),
    });
    await server.ask('DELETE', `/passkeys/${authenticator.credentialId}`, session.accessToken);
    const exchange = await server.post('/token', {
      client_id: 'native',
      grant_type: 'authorization_code',
      code: String(body['authorization_code']),
      code_verifier: verifier,
    });
    expect(exchange).toMatchObject({ status: 400, body: { error: 'invalid_grant', reason: 'code' } });
  });
});

// ASVS 7.4.3: an attacker who obtained a factor may already be signed in.
test.each(['added', 'removed'])('after a passkey was %s, the user can end all other sessions', async (change) => {
  const { authenticator } = await register();
  if (change === 'removed') await server.ask('DELETE', `/passkeys/${authenticator.credentialId}`, session.accessToken);
  const other = await server.signIn('native', account);
  expect((await signIn(authenticator)).status).toBe(change === 'removed' ? 400 : 200);
  expect(await server.ask('DELETE', '/sessions', session.accessToken)).toMatchObject({ status: 200 });
  expect(await server.refresh(other.refreshToken)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  expect(await server.refresh(session.refreshToken)).toMatchObject({ status: 200 });
});
