import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { DEFAULT_POLICY, SESSION_LIFETIMES } from '../kernel/policy.ts';
import { registerClients, type ClientRegistration } from '../registrations/clients.ts';
import { ISSUER, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const LEVELS = ['aal1', 'aal2', 'aal3'] as const;
const OWN = { inactivityTimeoutSeconds: 600, absoluteLifetimeSeconds: 7_200 };
const body = { refreshTokenTransport: 'body', scopes: ['notes'] } as const;

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  const named: ClientRegistration[] = LEVELS.map((level) => ({ clientId: level, ...body, sessionLifetimes: level }));
  server = await startTestServer(database.databaseUrl, {
    policy: { inactivityTimeoutSeconds: 5_000, absoluteLifetimeSeconds: 50_000 },
    clients: [...named, { clientId: 'own', ...body, sessionLifetimes: OWN }, { clientId: 'native', ...body }],
  });
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

test.each([
  ...LEVELS.map((level) => [level, SESSION_LIFETIMES[level]] as const),
  ['own', OWN] as const,
  ['native', { inactivityTimeoutSeconds: 5_000, absoluteLifetimeSeconds: 50_000 }] as const,
])('a session of client %s lasts as that client was told', async (clientId, lifetimes) => {
  const { inactivityTimeoutSeconds, absoluteLifetimeSeconds } = lifetimes;
  const { refreshToken, sid } = await server.signIn(clientId);
  const use = async () => (await server.refresh(refreshToken, { client_id: clientId })).body;
  const nearly = (seconds: number): object => expect.toSatisfy((value) => Math.abs(Number(value) - seconds) <= 5);
  expect(await use()).toMatchObject({
    refresh_token_timeout: nearly(inactivityTimeoutSeconds),
    authorization_expires_in: nearly(absoluteLifetimeSeconds),
  });
  // The rotating statement slides it too, by the client's own timeout. The absolute lifetime does not move.
  const pausedSeconds = inactivityTimeoutSeconds - 60;
  await server.letTimePass(sid, pausedSeconds * 1_000);
  expect(await use()).toMatchObject({
    refresh_token_timeout: nearly(Math.min(inactivityTimeoutSeconds, absoluteLifetimeSeconds - pausedSeconds)),
    authorization_expires_in: nearly(absoluteLifetimeSeconds - pausedSeconds),
  });
  await server.letTimePass(sid, absoluteLifetimeSeconds * 1_000);
  expect(await use()).toMatchObject({ error: 'invalid_grant', reason: 'expired' });
});

test('the levels are those of NIST SP 800-63B-4', () => {
  const [hour, day] = [3_600, 86_400];
  expect(SESSION_LIFETIMES.aal1.absoluteLifetimeSeconds).toBe(30 * day);
  expect(SESSION_LIFETIMES.aal2).toEqual({ inactivityTimeoutSeconds: hour, absoluteLifetimeSeconds: day });
  expect(SESSION_LIFETIMES.aal3).toEqual({ inactivityTimeoutSeconds: hour / 4, absoluteLifetimeSeconds: 12 * hour });
});

test.each([
  ['an unknown level', 'aal9'],
  ['one lifetime alone', { inactivityTimeoutSeconds: 60 }],
  ['a fraction', { ...OWN, inactivityTimeoutSeconds: 0.5 }],
  ['nothing', { inactivityTimeoutSeconds: 0, absoluteLifetimeSeconds: 0 }],
])('a registration with %s is refused', (_, sessionLifetimes) => {
  const registration = { clientId: 'app', ...body, sessionLifetimes } as unknown as ClientRegistration;
  expect(() => registerClients([registration], { issuer: ISSUER, audience: ISSUER }, DEFAULT_POLICY)).toThrow(
    /clients\[app\]\.sessionLifetimes/,
  );
});
