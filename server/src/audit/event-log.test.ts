import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { HoldfastServerError } from '../kernel/errors.ts';
import type { EventStore, StoredEvent } from '../storage/event-store.ts';
import { CREDENTIALS, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { startEventLog, type EventLogParts } from './event-log.ts';

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

const list = (query: Parameters<TestServer['holdfast']['auditLog']['list']>[0]): Promise<readonly StoredEvent[]> =>
  server.holdfast.auditLog.list(query);

describe('the audit log', () => {
  test('has the creation and the end of a session before their answers, with user and address', async () => {
    const { sid, refreshToken } = await server.signIn();
    const [created] = await list({ sid });
    expect(created).toMatchObject({
      type: 'session.created',
      clientId: 'native',
      replaces: null,
      address: '192.0.2.1',
    });
    await server.post('/revoke', { client_id: 'native', token: refreshToken });
    const user = await server.holdfast.users.findByUsername(CREDENTIALS.username);
    expect(await list({ sid })).toMatchObject([
      { type: 'session.revoked', reason: 'signed_out', sub: user?.sub, clientId: 'native', address: '192.0.2.1' },
      { type: 'session.created', sub: user?.sub },
    ]);
  });

  test('has one end per session, although others try to end it too', async () => {
    const { sid } = await server.signIn();
    const attempts = Array.from({ length: 8 }, () => server.holdfast.sessions.revoke(sid));
    expect((await Promise.all(attempts)).filter(Boolean)).toHaveLength(1);
    expect(await list({ sid, type: 'session.revoked' })).toMatchObject([{ reason: 'administrator', address: null }]);
  });

  test('records reuse with the address of the request that showed it', async () => {
    const { sid, refreshToken } = await server.signIn();
    await server.alter(sid, 'generation = 3');
    await server.letTimePass(sid, 60_000);
    expect(await server.refresh(refreshToken)).toMatchObject({ status: 400, body: { reason: 'reuse' } });
    expect(await list({ sid, type: 'session.revoked' })).toMatchObject([{ reason: 'reuse', address: '192.0.2.1' }]);
  });

  test('has every session of a user that an administrator ended', async () => {
    const sessions = [await server.signIn(), await server.signIn()];
    const user = await server.holdfast.users.findByUsername(CREDENTIALS.username);
    await server.holdfast.sessions.revokeAllOfUser(user?.sub ?? '', 'account_closed');
    for (const { sid } of sessions) {
      expect(await list({ sid, type: 'session.revoked' })).toMatchObject([{ reason: 'account_closed' }]);
    }
  });

  test('lists each event once over all pages', async () => {
    for (let count = 0; count < 5; count++) await server.signIn();
    const whole = await list({ type: 'session.created' });
    const paged: StoredEvent[] = [];
    for (;;) {
      const before = paged.at(-1);
      const page = await list({ type: 'session.created', limit: 2, ...(before && { before }) });
      if (page.length === 0) break;
      paged.push(...page);
    }
    expect(paged).toEqual(whole);
    expect(whole.length).toBeGreaterThanOrEqual(5);
  });

  test('cannot be changed by a mistaken statement', async () => {
    await server.signIn();
    const { database: pool } = server.holdfast;
    await expect(pool.query("UPDATE holdfast.events SET type = 'nothing'")).rejects.toThrow('append-only');
    await expect(pool.query('TRUNCATE holdfast.events')).rejects.toThrow('append-only');
  });
});

test('failed sign-ins reach the audit log before the server has closed; unlimited events of strangers do not', async () => {
  const leaving = await startTestServer(database.databaseUrl);
  await leaving.post('/authorize-challenge', {
    client_id: 'other',
    username: CREDENTIALS.username,
    password: 'a wrong one',
    code_challenge: 'A'.repeat(43),
    code_challenge_method: 'S256',
  });
  await leaving.refresh('garbage');
  await leaving.holdfast.close();
  expect(await list({ type: 'sign_in.failed' })).toMatchObject([{ clientId: 'other', address: '192.0.2.1' }]);
  expect(await list({ type: 'refresh.refused' })).toEqual([]);
  expect(await list({ type: 'request.answered' })).toEqual([]);
});

test('an event is deleted at the first maintenance after its retention time, and no other event is', async () => {
  const { sid } = await server.signIn();
  const { database: pool } = server.holdfast;
  await pool.query(
    `INSERT INTO holdfast.events (id, at, type, client_id, fact)
     SELECT gen_random_uuid(), now() - interval '181 days', 'sign_in.failed', 'ancient', '{}' FROM generate_series(1, 5001)`,
  );
  const maintained = await startTestServer(database.databaseUrl, { policy: { signingKeyPollSeconds: 1 } });
  await vi.waitFor(async () => {
    const { rows } = await pool.query("SELECT 1 FROM holdfast.events WHERE client_id = 'ancient' LIMIT 1");
    expect(rows).toEqual([]);
  }, 30_000);
  await maintained.holdfast.close();
  expect(await list({ sid })).toHaveLength(1);
});

describe('the writer', () => {
  const policy = { eventBufferLimit: 3, eventRetryMs: 1 };
  const news = { type: 'user.changed', sub: 'ada', change: 'enabled', atMs: 0 } as const;
  const failure = { type: 'sign_in.failed', clientId: 'app', address: '192.0.2.1', atMs: 0 } as const;
  const away = (): Error => new HoldfastServerError('unavailable', 'the database is away');

  /** A database that keeps events, and fails on request. */
  const startLog = (fault: (events: readonly StoredEvent[]) => Error | null, more: Partial<EventLogParts> = {}) => {
    const written: StoredEvent[] = [];
    const warnings: string[] = [];
    const append: EventStore['append'] = async (events) => {
      const error = fault(events);
      if (error !== null) throw error;
      written.push(...events);
    };
    const log = startEventLog({ append, policy, warn: (message) => warnings.push(message), ...more });
    return { log, written, warnings };
  };

  test('keeps events through an outage and writes each once', async () => {
    let failures = 3;
    const { log, written, warnings } = startLog(() => (failures-- > 0 ? away() : null));
    log.record(news);
    log.record(news);
    await vi.waitFor(() => expect(written).toHaveLength(2));
    expect(new Set(written.map(({ id }) => id)).size).toBe(2);
    expect(warnings).toHaveLength(3);
    await log.close();
  });

  test('has a bounded buffer, and logs the number of lost events', async () => {
    const { log, warnings } = startLog(away);
    for (let count = 0; count < 5; count++) log.record(news);
    await log.close();
    expect(warnings.at(-1)).toContain('3 events wait, 2 were lost');
  });

  test('loses no other event if the database refuses one', async () => {
    const { log, written } = startLog((events) =>
      events.some((event) => 'sub' in event && event.sub === 'bad') ? new Error('22P05') : null,
    );
    log.record({ ...news, sub: 'bad' });
    log.record(news);
    log.record({ ...news, sub: 'grace' });
    await vi.waitFor(() => expect(written).toMatchObject([{ sub: 'ada' }, { sub: 'grace' }]));
    await log.close();
    expect(written).toHaveLength(2);
  });

  test('keeps ten failed sign-ins of a minute, and the sum of the others with their number of networks', async () => {
    const { log, written } = startLog(() => null, { policy: { ...policy, eventBufferLimit: 1_000 } });
    for (let count = 0; count < 900; count++) log.record({ ...failure, address: `192.0.2.${count % 3}` });
    await log.close();
    expect(written.filter(({ type }) => type === 'sign_in.failed')).toHaveLength(10);
    expect(written.filter(({ type }) => type !== 'sign_in.failed')).toMatchObject([
      { type: 'events.counted', counted: 'sign_in.failed', count: 890, networks: 3 },
    ]);
  });

  test('writes that sum when the minute is over, without another event', async () => {
    const { log, written } = startLog(() => null, {
      policy: { ...policy, eventBufferLimit: 1_000 },
      noiseWindowMs: 20,
    });
    for (let count = 0; count < 30; count++) log.record(failure);
    await vi.waitFor(() => expect(written.at(-1)).toMatchObject({ type: 'events.counted', count: 20 }));
    await log.close();
  });

  test('keeps one refusal per session, so that repeats of one holder do not hide another', async () => {
    const { log, written } = startLog(() => null, { policy: { ...policy, eventBufferLimit: 1_000 } });
    const refusal = { type: 'refresh.refused', clientId: 'app', error: 'invalid_grant', reason: 'wrong_key' } as const;
    for (let count = 0; count < 100; count++) log.record({ ...refusal, sid: 'loud', address: '', atMs: 0 });
    log.record({ ...refusal, sid: 'quiet', address: '', atMs: 0 });
    await log.close();
    expect(written.flatMap((event) => (event.type === 'refresh.refused' ? event.sid : []))).toEqual(['loud', 'quiet']);
  });

  test('keeps three changes of a kind per user and minute; none hides another kind, user or administrator', async () => {
    const { log, written } = startLog(() => null, { policy: { ...policy, eventBufferLimit: 1_000 } });
    const renamed = { type: 'credential.changed', sub: 'loud', sid: 'a', change: 'passkey_renamed', atMs: 0 } as const;
    const chosen = { ...renamed, change: 'password_changed' } as const;
    for (let count = 0; count < 100; count++) log.record(renamed);
    for (let count = 0; count < 20; count++) log.record(chosen);
    for (let count = 0; count < 5; count++) log.record({ ...chosen, sid: null });
    for (let user = 0; user < 50; user++) log.record({ ...chosen, sub: `quiet ${user}` });
    await log.close();
    const kept = (expected: Partial<StoredEvent>): number =>
      written.filter((event) => Object.entries(expected).every(([name, value]) => Reflect.get(event, name) === value))
        .length;
    expect(kept({ sub: 'loud', change: 'passkey_renamed' })).toBe(3);
    expect(kept({ sub: 'loud', sid: 'a', change: 'password_changed' })).toBe(3);
    expect(kept({ sub: 'loud', sid: null })).toBe(5);
    expect(kept({ type: 'credential.changed' })).toBe(3 + 3 + 5 + 50);
    expect(written.at(-1)).toMatchObject({ type: 'events.counted', counted: 'credential.changed', count: 97 + 17 });
  });

  test('keeps one pacing event per session', async () => {
    const { log, written } = startLog(() => null, { policy: { ...policy, eventBufferLimit: 1_000 } });
    const paced = { type: 'refresh.redelivery_paced', sub: 'ada', clientId: 'app', redeliveries: 32, atMs: 0 } as const;
    for (let generation = 0; generation < 40; generation++) log.record({ ...paced, sid: 'loud', generation });
    log.record({ ...paced, sid: 'quiet', generation: 0 });
    await log.close();
    expect(written.map((event) => ('sid' in event ? event.sid : event.type))).toEqual([
      'loud',
      'quiet',
      'events.counted',
    ]);
  });

  test('keeps one event per account that signs in too often', async () => {
    const { log, written } = startLog(() => null, { policy: { ...policy, eventBufferLimit: 1_000 } });
    const refused = { type: 'sign_in.rate_exceeded', clientId: 'app', retryAfterMs: 60_000, atMs: 0 } as const;
    for (let host = 0; host < 40; host++) log.record({ ...refused, sub: 'loud', address: `192.0.2.${host}` });
    log.record({ ...refused, sub: 'quiet', address: '192.0.2.1' });
    await log.close();
    expect(written.map((event) => ('sub' in event ? event.sub : event.type))).toEqual([
      'loud',
      'quiet',
      'events.counted',
    ]);
    expect(written.at(-1)).toMatchObject({ counted: 'sign_in.rate_exceeded', count: 39, networks: 39 });
  });

  test('writes news before noise, and loses no news to noise in an outage', async () => {
    let isAway = true;
    const { log, written } = startLog(() => (isAway ? away() : null), {
      policy: { eventBufferLimit: 40, eventRetryMs: 1 },
    });
    for (let count = 0; count < 500; count++) log.record(failure);
    for (let count = 0; count < 40; count++) log.record(news);
    isAway = false;
    await vi.waitFor(() => expect(written.length).toBeGreaterThan(40));
    expect(written.slice(0, 40).every(({ type }) => type === 'user.changed')).toBe(true);
    await log.close();
    expect(written.filter(({ type }) => type === 'user.changed')).toHaveLength(40);
  });
});
