// Two server processes on one database: what a user with many tabs, or a thief with many machines, can make them do.
import { Pool } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { signInNative, type NativeSession } from './native-session.ts';
import {
  buildServer,
  refreshAt,
  runCommand,
  serverEnvironment,
  startServer,
  user,
  type ServerProcess,
  type TokenResult,
} from './server-process.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

/** One user is signed in many times over. */
const UNLIMITED = { signInBurstPerAccount: 100_000, maxDeviceChainsPerUser: 100_000 };

let database: TestDatabase;
let nodes: readonly [ServerProcess, ServerProcess];
let pool: Pool;

beforeAll(async () => {
  buildServer();
  database = await createTestDatabase();
  pool = new Pool({ connectionString: database.databaseUrl });
  const environment = serverEnvironment(database.databaseUrl, {
    HOLDFAST_POLICY: JSON.stringify({ requestsPerSecond: 0, ...UNLIMITED }),
  });
  // At once, on an empty database: both migrate it, both make the first key, and they agree.
  nodes = await Promise.all([startServer(environment), startServer(environment)]);
  await runCommand(['users', 'create', '--username', user.username], environment, `${user.password}\n`);
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await pool.end();
  await database.drop();
});

/** As if the last delivery of every session were an interval ago. */
async function letIntervalPass(): Promise<void> {
  await pool.query("UPDATE holdfast.sessions SET delivered_at = delivered_at - interval '61 seconds'");
}

async function rowOf(sid: string): Promise<object> {
  const { rows } = await pool.query<object>(
    'SELECT generation, redeliveries, revoked_reason FROM holdfast.sessions WHERE id = $1',
    [sid],
  );
  return rows[0] ?? {};
}

async function deadlocks(): Promise<number> {
  const { rows } = await pool.query<{ deadlocks: string }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  return Number(rows[0]?.deadlocks);
}

function statuses(answers: readonly TokenResult[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const key = status === 200 ? '200' : `${status} ${String(body['reason'])}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

function useOnBoth(sessions: readonly Pick<NativeSession, 'refreshToken'>[]): Promise<readonly TokenResult[]> {
  return Promise.all(sessions.flatMap((session) => nodes.map(({ url }) => refreshAt(url, session))));
}

it('1,000 concurrent uses of one token make one rotation, and everybody is answered with an access token', async () => {
  const session = await signInNative(nodes[0].url, user);
  await letIntervalPass();
  const answers = await useOnBoth(Array.from({ length: 500 }, () => session));
  expect(statuses(answers)).toEqual({ 200: 1_000 });
  const handedOut = answers.filter(({ body }) => body['refresh_token'] !== undefined);
  expect(handedOut).toHaveLength(1);
  expect(await rowOf(session.sid)).toEqual({ generation: 1, redeliveries: 0, revoked_reason: null });
  expect(await deadlocks()).toBe(0);
  // The one copy that was handed out goes on, on the other node as well.
  await letIntervalPass();
  const next = { refreshToken: String(handedOut[0]?.body['refresh_token']) };
  expect((await refreshAt(nodes[1].url, next)).body).toMatchObject({ refresh_token: expect.any(String) });
});

it('100 sessions that both nodes rotate at once rotate once each, without a deadlock', async () => {
  const sessions: NativeSession[] = [];
  for (let signedIn = 0; signedIn < 100; signedIn++) sessions.push(await signInNative(nodes[0].url, user));
  await letIntervalPass();
  // One node walks them one way, the other the other way.
  const [forth, back] = await Promise.all([
    Promise.all(sessions.map((session) => refreshAt(nodes[0].url, session))),
    Promise.all(sessions.toReversed().map((session) => refreshAt(nodes[1].url, session))),
  ]);
  expect(statuses([...forth, ...back])).toEqual({ 200: 200 });
  for (const { sid } of sessions) expect(await rowOf(sid)).toMatchObject({ generation: 1, revoked_reason: null });
  expect(await deadlocks()).toBe(0);
});

it('a fork that both nodes see at once is told to wait, then ends that session and no other', async () => {
  const [forked, bystander] = [await signInNative(nodes[0].url, user), await signInNative(nodes[0].url, user)];
  await letIntervalPass();
  const first = await refreshAt(nodes[0].url, forked);
  const copyA = { refreshToken: String(first.body['refresh_token']) };
  // The answer counts as lost: the exact copy is repeated and a second copy of generation 1 handed out.
  await letIntervalPass();
  const copyB = { refreshToken: String((await refreshAt(nodes[1].url, forked)).body['refresh_token']) };
  await refreshAt(nodes[0].url, copyA);
  const early = statuses(await useOnBoth(Array.from({ length: 50 }, () => copyB)));
  expect(early).toEqual({ '429 wait': 100 });
  expect(await rowOf(forked.sid)).toMatchObject({ revoked_reason: null });
  await letIntervalPass();
  expect(statuses(await useOnBoth(Array.from({ length: 50 }, () => copyB)))).toEqual({ '400 reuse': 100 });
  expect(await rowOf(forked.sid)).toMatchObject({ revoked_reason: 'reuse' });
  expect((await refreshAt(nodes[1].url, bystander)).status).toBe(200);
  expect(await deadlocks()).toBe(0);
});

it('a node that is told to stop answers what it has begun, and the other goes on', async () => {
  const environment = serverEnvironment(database.databaseUrl, { HOLDFAST_POLICY: JSON.stringify(UNLIMITED) });
  const leaving = await startServer(environment);
  const session = await signInNative(leaving.url, user);
  await letIntervalPass();
  const underWay = Promise.all(Array.from({ length: 50 }, () => refreshAt(leaving.url, session)));
  // Once one is answered, the others have been accepted.
  await refreshAt(leaving.url, session);
  const exitCode = leaving.stop();
  const answers = await underWay;
  expect(statuses(answers)).toEqual({ 200: 50 });
  expect(await exitCode).toBe(0);
  expect((await refreshAt(nodes[0].url, session)).status).toBe(200);
  expect(leaving.output()).toContain('"msg":"stopped"');
});
