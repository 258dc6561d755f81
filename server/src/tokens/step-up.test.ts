import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { CREDENTIALS, newVerifier, startTestServer, type Answer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { requireAuthentication, satisfiesAcr } from './step-up.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const NOW_SECONDS = 1_800_000_000;
const PASSWORD = { acr: 'aal1', auth_time: NOW_SECONDS - 600 };
const check = (claims: Parameters<typeof requireAuthentication>[0], requirement: object) =>
  requireAuthentication(claims, requirement, { nowSeconds: NOW_SECONDS });

describe('an action’s requirements on the last authentication', () => {
  test.each<[string, object]>([
    ['nothing', {}],
    ['the class it has', { acrValues: ['aal1'] }],
    ['one of several classes', { acrValues: ['aal3', 'aal1'] }],
    ['an age it has not reached', { maxAgeSeconds: 600 }],
    ["an age within the clocks' tolerance", { maxAgeSeconds: 595 }],
    ['both', { acrValues: ['aal1'], maxAgeSeconds: 3_600 }],
  ])('is met: %s', (_, requirement) => {
    expect(check(PASSWORD, requirement)).toBeNull();
  });

  // A client acts on the header, so it must be exactly that of RFC 9470.
  test.each<[string, object, string]>([
    ['a stronger class', { acrValues: ['aal2'] }, 'acr_values="aal2"'],
    ['classes in order of preference', { acrValues: ['aal3', 'aal2'] }, 'acr_values="aal3 aal2"'],
    ['an unknown class', { acrValues: ['urn:example:face'] }, 'acr_values="urn:example:face"'],
    ['a more recent one', { maxAgeSeconds: 300 }, 'max_age="300"'],
    ['both', { acrValues: ['aal2'], maxAgeSeconds: 300 }, 'acr_values="aal2", max_age="300"'],
    ['only its age', { acrValues: ['aal1'], maxAgeSeconds: 300 }, 'acr_values="aal1", max_age="300"'],
  ])('is not met: %s', (_, requirement, parameters) => {
    expect(check(PASSWORD, requirement)).toEqual({
      ok: false,
      status: 401,
      wwwAuthenticate:
        'Bearer error="insufficient_user_authentication", ' +
        `error_description="A different or more recent authentication is needed", ${parameters}`,
    });
  });

  test("a bound token's challenge has the DPoP scheme", () => {
    const challenge = check({ ...PASSWORD, cnf: { jkt: 'a thumbprint' } }, { acrValues: ['aal2'] });
    expect(challenge?.wwwAuthenticate).toMatch(/^DPoP error="insufficient_user_authentication"/);
  });

  test('levels are ordered, other values equal only themselves', () => {
    expect(satisfiesAcr('aal3', ['aal1'])).toBe(true);
    expect(satisfiesAcr('aal2', ['aal3'])).toBe(false);
    expect(satisfiesAcr('other', ['other'])).toBe(true);
    expect(satisfiesAcr('other', ['aal1'])).toBe(false);
    expect(satisfiesAcr('aal1', [])).toBe(false);
  });
});

describe('at sign-in', () => {
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

  const challenge = (form: Readonly<Record<string, string>>): Promise<Answer> =>
    server.post('/authorize-challenge', {
      client_id: 'native',
      ...CREDENTIALS,
      code_challenge: newVerifier().challenge,
      code_challenge_method: 'S256',
      ...form,
    });

  test.each(['aal1', 'aal2 aal1', 'urn:example:face aal1'])(
    'a password is good for acr_values=%s',
    async (acrValues) => {
      expect(await challenge({ acr_values: acrValues })).toMatchObject({ status: 200 });
    },
  );

  test('a right or wrong password is not enough for a stronger class, and the answer names the class', async () => {
    const right = await challenge({ acr_values: 'aal2' });
    expect(right).toMatchObject({
      status: 403,
      body: { error: 'insufficient_authorization', reason: 'acr', acr_values: 'aal2' },
    });
    expect((await challenge({ acr_values: 'aal2', password: 'wrong' })).body).toEqual(right.body);
  });

  test('a class that this server does not know is refused', async () => {
    expect(await challenge({ acr_values: 'urn:example:face' })).toMatchObject({
      status: 400,
      body: { error: 'unmet_authentication_requirements', acr_values_supported: ['aal1', 'aal2', 'aal3'] },
    });
  });

  test('every sign-in is recent enough for any max_age, which must be a number', async () => {
    expect(await challenge({ max_age: '0' })).toMatchObject({ status: 200 });
    expect(await challenge({ max_age: 'soon' })).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  });
});
