import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { deleteExpired } from '../postgres/housekeeping.ts';
import { startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { startMaintenance } from './maintenance.ts';

describe('rounds', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('continue after a failed task, and run the other tasks in the same round', async () => {
    const done: string[] = [];
    const failures: string[] = [];
    const maintenance = startMaintenance(
      [
        { name: 'broken', run: () => Promise.reject(new Error('no database')) },
        { name: 'sound', run: async () => void done.push('sound') },
      ],
      1_000,
      (task) => failures.push(task),
    );
    await vi.advanceTimersByTimeAsync(3_600);
    expect([failures.length, done.length]).toEqual([3, 3]);
    await maintenance.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(done).toHaveLength(3);
  });

  test('do not overlap, however long one takes, and stopping waits for the round under way', async () => {
    let running = 0;
    let most = 0;
    let finish = (): void => {};
    const run = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      running--;
    };
    const maintenance = startMaintenance([{ name: 'slow', run }], 1_000, () => {});
    await vi.advanceTimersByTimeAsync(10_000);
    expect([running, most]).toEqual([1, 1]);
    const stopped = vi.fn<() => void>();
    const stop = maintenance.stop().then(stopped);
    await vi.advanceTimersByTimeAsync(10);
    expect(stopped).not.toHaveBeenCalled();
    finish();
    await stop;
    expect(running).toBe(0);
  });
});

describe('expired rows', () => {
  let database: TestDatabase;
  let server: TestServer;
  beforeAll(async () => {
    database = await createTestDatabase(inject('postgresAdminUrl'));
    server = await startTestServer(database.databaseUrl);
  }, 60_000);
  afterAll(async () => {
    await server.holdfast.close();
    await database.drop();
  });

  const count = async (table: string): Promise<number> => {
    const { rows } = await server.holdfast.database.query<{ count: number }>(
      `SELECT count(*)::int4 AS count FROM holdfast.${table}`,
    );
    return rows[0]?.count ?? 0;
  };

  test('are deleted a day after their expiry, and a live or just expired session stays', async () => {
    const [live, justExpired, longGone] = [await server.signIn(), await server.signIn(), await server.signIn()];
    await server.alter(justExpired.sid, "expires_at = now() - interval '23 hours'");
    await server.alter(longGone.sid, "expires_at = now() - interval '25 hours'");
    await server.holdfast.database.query(
      "UPDATE holdfast.authorization_codes SET expires_at = now() - interval '2 days'",
    );
    await deleteExpired(server.holdfast.database, 86_400);
    expect(await count('sessions')).toBe(2);
    expect(await count('authorization_codes')).toBe(0);
    expect(await server.refresh(live.refreshToken)).toMatchObject({ status: 200 });
    expect(await server.refresh(justExpired.refreshToken)).toMatchObject({ body: { reason: 'expired' } });
    expect(await server.refresh(longGone.refreshToken)).toMatchObject({ body: { reason: 'unknown' } });
  }, 60_000);

  test('that unauthenticated requests create are deleted as soon as they expire', async () => {
    await server.holdfast.database.query(`
      INSERT INTO holdfast.spent_challenges (challenge, expires_at)
      VALUES ('\\x01', now() - interval '1 second'), ('\\x02', now() + interval '5 minutes');
      INSERT INTO holdfast.password_attempts (bucket_key, level, updated_at, blocked_until, expires_at)
      VALUES ('\\x01', 1, now(), now(), now() - interval '1 second'), ('\\x02', 1, now(), now(), now() + interval '5 minutes')`);
    const before = [await count('spent_challenges'), await count('password_attempts')];
    await deleteExpired(server.holdfast.database, 86_400);
    const after = [await count('spent_challenges'), await count('password_attempts')];
    expect(after).toEqual(before.map((rows) => rows - 1));
  }, 60_000);

  test('of a long backlog are deleted in slices, a limited number per round', async () => {
    for (let hour = 1; hour <= 6; hour++) {
      const { sid } = await server.signIn();
      await server.alter(sid, `expires_at = now() - interval '10 days' + interval '${hour} hours'`);
    }
    const before = await count('sessions');
    await deleteExpired(server.holdfast.database, 86_400);
    expect(await count('sessions')).toBe(before - 4);
    await deleteExpired(server.holdfast.database, 86_400);
    expect(await count('sessions')).toBe(before - 6);
  }, 60_000);
});
