import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import type { Logger } from '../kernel/logger.ts';
import { resolvePolicy } from '../kernel/policy.ts';
import {
  CREDENTIALS,
  newVerifier,
  startTestServer,
  type Answer,
  type TestServer,
  type Tokens,
} from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;
let deviceSecret: string;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});
beforeEach(() => {
  deviceSecret = randomBytes(32).toString('base64url');
  server.events.length = 0;
});

const signIn = (replaced: Tokens | null = null): Promise<Tokens> =>
  server.signIn('native', {
    device_secret: deviceSecret,
    ...(replaced !== null && { replaces: replaced.sid, replaces_token: replaced.refreshToken }),
  });

/** Collects the fields of the operator's warnings. */
function createWarnings(): { readonly warnings: object[]; readonly logger: Logger } {
  const warnings: object[] = [];
  const note = (fields: object): void => void warnings.push(fields);
  return { warnings, logger: { info: note, warn: note, error: note } };
}

const isAlive = async ({ sid }: Tokens): Promise<boolean> => {
  const text = 'SELECT 1 FROM holdfast.sessions WHERE id = $1 AND revoked_at IS NULL';
  return (await server.holdfast.database.query(text, [sid])).rowCount === 1;
};

const revoke = (form: Readonly<Record<string, string>>): Promise<Answer> =>
  server.post('/revoke', { client_id: 'native', ...form });

/** Moves both sign-in counters into the past: that of right credentials and that of exchanges. */
async function letMinutePass({ holdfast }: TestServer): Promise<void> {
  const past = (column: string): string => `${column} = ${column} - interval '1 minute'`;
  await holdfast.database.query(`UPDATE holdfast.subjects SET ${past('sign_in_at')}`);
  await holdfast.database.query(
    `UPDATE holdfast.password_attempts SET ${['updated_at', 'blocked_until'].map(past).join(', ')}`,
  );
}

/** Begins a sign-in whose exchange is sent later. */
async function beginSignIn(): Promise<(form?: Readonly<Record<string, string>>) => Promise<Answer>> {
  const { verifier, challenge } = newVerifier();
  const { body } = await server.post('/authorize-challenge', {
    client_id: 'native',
    ...CREDENTIALS,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  });
  const code = String(body['authorization_code']);
  return (form = {}) =>
    server.post('/token', {
      client_id: 'native',
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      device_secret: deviceSecret,
      ...form,
    });
}

test('a database error while earlier sessions are ended fails no refresh, and the operator sees it', async () => {
  const { warnings, logger } = createWarnings();
  const observed = await startTestServer(database.databaseUrl, { logger });
  const { database: pool } = observed.holdfast;
  const a = await signIn();
  const b = await signIn(a);
  await pool.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE OF has_predecessors ON holdfast.sessions FOR EACH ROW EXECUTE FUNCTION refuse()`);
  try {
    expect(await observed.refresh(b.refreshToken)).toMatchObject({ status: 200, body: { sid: b.sid } });
    expect(warnings).toEqual([expect.objectContaining({ kind: 'predecessors', sqlState: '53100' })]);
    expect(await isAlive(a)).toBe(true);
  } finally {
    await pool.query('DROP FUNCTION refuse() CASCADE');
    await observed.holdfast.close();
  }
});

test('a locked earlier session does not delay the first use of a new one, and the next use ends it', async () => {
  const a = await signIn();
  const b = await signIn(a);
  const holder = await server.holdfast.database.connect();
  try {
    await holder.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
    await holder.query('SELECT 1 FROM holdfast.sessions WHERE id = $1 FOR UPDATE', [a.sid]);
    const startedAtMs = performance.now();
    expect(await server.refresh(b.refreshToken)).toMatchObject({ status: 200 });
    expect(performance.now() - startedAtMs).toBeLessThan(4_000);
    expect(server.events).toContainEqual(expect.objectContaining({ type: 'session.predecessors_kept', sid: b.sid }));
    expect(await server.holdfast.metrics()).toContain('holdfast_predecessors_kept_total 1');
  } finally {
    holder.release(true);
  }
  expect(await server.refresh(b.refreshToken)).toMatchObject({ status: 200 });
  expect([await isAlive(a), await isAlive(b)]).toEqual([false, true]);
});

describe('three sign-ins of one device without a refresh in between', () => {
  test('leave no live session when the user signs out of the last: all cookies and copies are refused', async () => {
    const a = await signIn();
    const b = await signIn(a);
    const c = await signIn(b);
    expect(await revoke({ token: c.refreshToken })).toMatchObject({ status: 200 });
    for (const { refreshToken } of [a, b, c]) {
      expect(await server.refresh(refreshToken)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    }
  });

  test('leave one session when the last is used', async () => {
    const a = await signIn();
    const b = await signIn(a);
    const c = await signIn(b);
    expect(await server.refresh(c.refreshToken)).toMatchObject({ status: 200, body: { device_id: a.deviceId } });
    expect([await isAlive(a), await isAlive(b), await isAlive(c)]).toEqual([false, false, true]);
    expect(server.events).toContainEqual(expect.objectContaining({ sid: a.sid, reason: 'replaced' }));
  });

  test('are ordered by the server: the larger device_sequence is the later one', async () => {
    const [a, b] = [await signIn(), await signIn()];
    expect(b.deviceId).toBe(a.deviceId);
    expect(b.sequence).toBeGreaterThan(a.sequence);
    const { body } = await server.refresh(a.refreshToken);
    expect(body).toMatchObject({ device_id: a.deviceId, device_sequence: a.sequence });
  });
});

describe('a sign-out', () => {
  test('wins against a sign-in that was under way in another tab', async () => {
    const a = await signIn();
    const exchange = await beginSignIn();
    await revoke({ token: a.refreshToken });
    expect(await exchange()).toMatchObject({ status: 400, body: { error: 'invalid_grant', reason: 'signed_out' } });
    expect(await (await beginSignIn())()).toMatchObject({ status: 200 });
  });

  test('of a session that is over still ends the newer one that no tab has used', async () => {
    const a = await signIn();
    await server.alter(a.sid, "idle_expires_at = now() - interval '1 second'");
    const b = await signIn(a);
    await revoke({ token: a.refreshToken });
    expect(await isAlive(b)).toBe(false);
  });

  test('leaves a newer session alive that another tab uses', async () => {
    const a = await signIn();
    const b = await signIn(a);
    await server.refresh(b.refreshToken);
    await revoke({ token: a.refreshToken });
    expect(await isAlive(b)).toBe(true);
  });

  test('by DELETE of the caller’s own session ends the device’s earlier sessions too', async () => {
    const a = await signIn();
    const b = await signIn(a);
    expect(await server.ask('DELETE', `/sessions/${b.sid}`, b.accessToken)).toMatchObject({ status: 204 });
    expect([await isAlive(a), await isAlive(b)]).toEqual([false, false]);
  });
});

describe('a refresh whose second step fails', () => {
  test('is still answered, and the next refresh ends the older session', async () => {
    const a = await signIn();
    const b = await signIn();
    const holder = await server.holdfast.database.connect();
    await holder.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0');
    await holder.query('SELECT 1 FROM holdfast.sessions WHERE id = $1 FOR UPDATE', [a.sid]);
    expect(await server.refresh(b.refreshToken)).toMatchObject({ status: 200 });
    expect(await isAlive(a)).toBe(true);
    await holder.query('ROLLBACK');
    holder.release();
    expect(await server.refresh(b.refreshToken)).toMatchObject({ status: 200 });
    expect(await isAlive(a)).toBe(false);
  });
});

describe('limits', () => {
  test('one password makes 20 sessions at once and then one a minute, and the answer has Retry-After', async () => {
    const { signInBurstPerAccount, signInIntervalSeconds } = resolvePolicy();
    expect([signInBurstPerAccount, signInIntervalSeconds]).toEqual([20, 60]);
    const limited = await startTestServer(database.databaseUrl, { policy: { signInBurstPerAccount } });
    try {
      const account = { username: `limited ${deviceSecret}`, password: 'correct horse battery' };
      await limited.holdfast.users.create({ ...account, name: 'Limited' });
      const { challenge } = newVerifier();
      const form = { client_id: 'native', ...account, code_challenge: challenge, code_challenge_method: 'S256' };
      const expectDelay = async (): Promise<void> => {
        const { status, body, headers } = await limited.post('/authorize-challenge', form);
        expect([status, body['error'], body['reason']]).toEqual([429, 'temporarily_unavailable', 'sign_in_rate']);
        expect(Number(headers['retry-after'])).toBeGreaterThan(30);
        expect(Number(headers['retry-after'])).toBeLessThanOrEqual(60);
      };
      for (let times = 0; times < 20; times++) await limited.signIn('native', account);
      await expectDelay();
      for (let minute = 0; minute < 2; minute++) {
        await letMinutePass(limited);
        await limited.signIn('native', account);
        await expectDelay();
      }
    } finally {
      await limited.holdfast.close();
    }
  });

  test('unexchanged codes count too: one password makes 20 of them, from all networks together', async () => {
    const limited = await startTestServer(database.databaseUrl, { policy: { signInBurstPerAccount: 20 } });
    try {
      const account = { username: `codes ${deviceSecret}`, password: 'correct horse battery' };
      const { sub } = await limited.holdfast.users.create({ ...account, name: 'Codes' });
      const { challenge } = newVerifier();
      const statuses: number[] = [];
      for (let count = 0; count < 40; count++) {
        const parameters = { ...account, code_challenge: challenge, code_challenge_method: 'S256' };
        const body = new URLSearchParams({ client_id: 'native', ...parameters }).toString();
        const headers = { 'content-type': 'application/x-www-form-urlencoded' };
        const remoteAddress = `2001:db8:3:${count}::1`;
        const request = { method: 'POST', path: '/authorize-challenge', headers, body, remoteAddress };
        statuses.push((await limited.holdfast.handle(request))?.status ?? 0);
      }
      expect(statuses).toEqual([...Array<number>(20).fill(200), ...Array<number>(20).fill(429)]);
      const text = 'SELECT 1 FROM holdfast.authorization_codes WHERE user_id = $1';
      expect((await limited.holdfast.database.query(text, [sub])).rowCount).toBe(20);
    } finally {
      await limited.holdfast.close();
    }
  });

  test('one device too many ends the least recently used one, and its user and the operator get the reason', async () => {
    const limited = await startTestServer(database.databaseUrl, { policy: { maxDeviceChainsPerUser: 2 } });
    try {
      const account = { username: `crowded ${deviceSecret}`, password: 'correct horse battery' };
      await limited.holdfast.users.create({ ...account, name: 'Crowded' });
      const devices = [await limited.signIn('native', account), await limited.signIn('native', account)];
      for (const { refreshToken } of devices) await limited.refresh(refreshToken);
      await limited.alter(devices[1]?.sid ?? '', "last_used_at = last_used_at - interval '1 hour'");
      const third = await limited.signIn('native', account);
      const statuses = await Promise.all(
        [...devices, third].map(async ({ refreshToken }) => (await limited.refresh(refreshToken)).status),
      );
      expect(statuses).toEqual([200, 400, 200]);
      const ended = { type: 'session.revoked', sid: devices[1]?.sid ?? '', reason: 'limit' } as const;
      expect(limited.events).toContainEqual(expect.objectContaining(ended));
      expect(await limited.holdfast.auditLog.list({ sid: ended.sid, type: ended.type })).toMatchObject([ended]);
    } finally {
      await limited.holdfast.close();
    }
  });

  test('a weak sign-in on one device too many is refused if only stronger ones are left', async () => {
    const limited = await startTestServer(database.databaseUrl, { policy: { maxDeviceChainsPerUser: 1 } });
    try {
      const account = { username: `few ${deviceSecret}`, password: 'correct horse battery' };
      await limited.holdfast.users.create({ ...account, name: 'Few' });
      const strong = await limited.signIn('native', account);
      await limited.alter(strong.sid, "acr = 'aal2'");
      await expect(limited.signIn('native', account)).rejects.toThrow(/too_many_sessions/);
      expect(await limited.refresh(strong.refreshToken)).toMatchObject({ status: 200 });
    } finally {
      await limited.holdfast.close();
    }
  });
});

describe('redeliveries', () => {
  test('never end the session if answers are lost; after 32 they are paced and one event alerts the operator', async () => {
    const { refreshToken, sid } = await signIn();
    const redeliver = async (): Promise<Answer> => {
      await server.letTimePass(sid, 60_000);
      return server.refresh(refreshToken);
    };
    for (let times = 0; times < 33; times++) expect(await redeliver()).toMatchObject({ status: 200 });
    const paced = (): number => server.events.filter(({ type }) => type === 'refresh.redelivery_paced').length;
    expect(paced()).toBe(1);
    const outcomes: boolean[] = [];
    for (let times = 0; times < 30; times++) {
      const { status, body } = await redeliver();
      expect(status).toBe(200);
      outcomes.push(body['refresh_token'] !== undefined);
    }
    expect(outcomes.filter(Boolean)).toHaveLength(2);
    expect(paced()).toBe(1);
  });
});
