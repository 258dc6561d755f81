// PostgreSQL is killed while sessions rotate, and comes back having forgotten what had not reached the disk.
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '@holdfast/server';
import { Client as DatabaseClient } from 'pg';
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
} from './server-process.ts';

const CLIENTS = 24;
const KILLS = 2;

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-crash-'));
let postgres: EmbeddedPostgres;
let databaseUrl: string;
let port: number;
let server: ServerProcess;

beforeAll(async () => {
  buildServer();
  port = await freePort();
  await startPostgres();
  // Rotation at every use: as many unflushed rotations as there can be.
  const policy =
    '{"rotationIntervalMs":0,"requestsPerSecond":0,"signInBurstPerAccount":100000,"maxDeviceChainsPerUser":100000}';
  const environment = serverEnvironment(databaseUrl, { HOLDFAST_POLICY: policy, HOLDFAST_LOG_LEVEL: 'info' });
  server = await startServer(environment);
  await runCommand(['users', 'create', '--username', user.username], environment, `${user.password}\n`);
});
afterAll(async () => {
  await server.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** On the same port every time, so that the server finds it again. */
async function startPostgres(): Promise<void> {
  // A long delay keeps asynchronous commits from reaching the disk before the crash.
  const settings = { wal_writer_delay: '10000', port: String(port) };
  postgres = await startEmbeddedPostgres({ dataDirectory: path.join(folder, 'postgres'), settings });
  const url = new URL(postgres.databaseUrl);
  url.port = String(port);
  databaseUrl = url.href;
}

/** Ends the postmaster without a word; its children follow, and what was not flushed is lost. */
async function killPostgres(): Promise<void> {
  const client = new DatabaseClient({ connectionString: databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
  const [pid] = (await readFile(path.join(rows[0]?.data_directory ?? '', 'postmaster.pid'), 'utf8')).split('\n');
  process.kill(Number(pid), 'SIGKILL');
  await client.end().catch(() => undefined);
  await postgres.stop();
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, '127.0.0.1', () => {
      const { port: free } = probe.address() as AddressInfo;
      probe.close(() => resolve(free));
    });
  });
}

/** An honest client: repeats what was not answered, keeps what it was handed, stops only at a verdict. */
type Client = {
  readonly sid: string;
  refreshToken: string;
  answers: number;
  verdict: string | null;
};

async function useRepeatedly(client: Client, isOver: () => boolean): Promise<void> {
  while (!isOver() && client.verdict === null) {
    const answer = await refreshAt(server.url, client);
    if (answer.status === 200) {
      client.answers += 1;
      const next = answer.body['refresh_token'];
      if (typeof next === 'string') client.refreshToken = next;
    } else if (answer.status === 503 || answer.status === 429) await sleep(20);
    else client.verdict = `${answer.status} ${String(answer.body['reason'])}`;
  }
}

/** Resolves when every client has been answered so many more times. */
async function progress(clients: readonly Client[], more: number): Promise<void> {
  const goals = clients.map((client) => client.answers + more);
  const isReached = (client: Client, index: number): boolean =>
    client.verdict !== null || client.answers >= (goals[index] ?? 0);
  await expect.poll(() => clients.every(isReached), { timeout: 30_000, interval: 5 }).toBe(true);
}

async function signOut({ refreshToken }: NativeSession): Promise<void> {
  const form = new URLSearchParams({ client_id: 'native', token: refreshToken });
  const answer = await fetch(`${server.url}/revoke`, { method: 'POST', body: form });
  if (answer.status !== 200) throw new Error(`/revoke answered ${answer.status}`);
}

it('signs no user out and forgets no revocation', async () => {
  const clients: Client[] = [];
  for (let index = 0; index < CLIENTS; index++) {
    const { sid, refreshToken } = await signInNative(server.url, user);
    clients.push({ sid, refreshToken, answers: 0, verdict: null });
  }
  const signedOut: NativeSession[] = [];
  let isOver = false;
  const work = clients.map((client) => useRepeatedly(client, () => isOver));
  for (let kill = 0; kill < KILLS; kill++) {
    await progress(clients, 10);
    const leaving = await signInNative(server.url, user);
    await signOut(leaving);
    signedOut.push(leaving);
    await killPostgres();
    await startPostgres();
  }
  await progress(clients, 10);
  isOver = true;
  await Promise.all(work);
  expect(clients.filter(({ verdict }) => verdict !== null)).toEqual([]);
  for (const session of signedOut) {
    expect(await refreshAt(server.url, session)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  }
  // The log says that the database was away, and nothing that a thief could use.
  expect(server.output()).toContain('the database is in doubt');
  const { password } = new URL(databaseUrl);
  for (const hidden of [password, user.password, 'hfrt_', ...signedOut.map(({ accessToken }) => accessToken)]) {
    expect(server.output()).not.toContain(hidden);
  }
  // The crash did cost rotations, or this test would show nothing.
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(Number(/outcome="healed"} (\d+)/.exec(metrics)?.[1])).toBeGreaterThan(0);
});
