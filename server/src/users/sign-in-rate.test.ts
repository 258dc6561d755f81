import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { newVerifier, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const BURST = 20;
const ACCOUNT = { username: 'grace@example.org', password: 'correct horse battery' };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
});
afterAll(() => database.drop());

async function withAccount(
  username: string,
  work: (server: TestServer, account: Readonly<Record<string, string>>, sub: string) => Promise<void>,
): Promise<void> {
  const server = await startTestServer(database.databaseUrl, { policy: { signInBurstPerAccount: BURST } });
  try {
    const account = { ...ACCOUNT, username };
    const { sub } = await server.holdfast.users.create({ ...account, name: 'Grace' });
    await work(server, account, sub);
  } finally {
    await server.holdfast.close();
  }
}

const exceeded = (sub: string): object => ({
  type: 'sign_in.rate_exceeded',
  sub,
  clientId: 'native',
  address: '192.0.2.1',
  retryAfterMs: expect.any(Number) as number,
});

test('an operator learns which account signs in without end, from each refusal and one entry in the audit log', async () => {
  await withAccount('codes', async (server, account, sub) => {
    const form = { client_id: 'native', ...account, code_challenge_method: 'S256' };
    const statuses: number[] = [];
    for (let times = 0; times < BURST + 5; times++) {
      const code_challenge = newVerifier().challenge;
      statuses.push((await server.post('/authorize-challenge', { ...form, code_challenge })).status);
    }
    expect(statuses.slice(BURST)).toEqual([429, 429, 429, 429, 429]);
    const reported = server.events.filter(({ type }) => type === 'sign_in.rate_exceeded');
    expect(reported).toHaveLength(5);
    expect(reported[0]).toMatchObject(exceeded(sub));
    expect(await server.holdfast.metrics()).toContain('holdfast_sign_in_rates_exceeded_total 5\n');
    const list = async (): Promise<readonly object[]> =>
      server.holdfast.auditLog.list({ sub, type: 'sign_in.rate_exceeded' });
    await vi.waitFor(async () => expect(await list()).toHaveLength(1), 20_000);
  });
});

test('an operator also learns of exchanges beyond the rate', async () => {
  await withAccount('exchanges', async (server, account, sub) => {
    await server.signIn('native', account);
    const { verifier, challenge } = newVerifier();
    const form = { client_id: 'native', ...account, code_challenge: challenge, code_challenge_method: 'S256' };
    const { body } = await server.post('/authorize-challenge', form);
    const fill = 'UPDATE holdfast.subjects SET sign_in_level = $2, sign_in_at = now() WHERE sub = $1';
    await server.holdfast.database.query(fill, [sub, BURST]);
    const code = String(body['authorization_code']);
    const exchange = { client_id: 'native', grant_type: 'authorization_code', code, code_verifier: verifier };
    expect(await server.post('/token', exchange)).toMatchObject({ status: 429, body: { reason: 'sign_in_rate' } });
    expect(server.events).toContainEqual(expect.objectContaining(exceeded(sub)));
  });
});
