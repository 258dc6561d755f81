import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestServer } from '../testing/client.ts';
import { startEmbeddedPostgres } from './embedded.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-embedded-'));
  // As root, PostgreSQL's own account must be able to pass through.
  await chmod(folder, 0o711);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function query(databaseUrl: string, text: string): Promise<readonly unknown[]> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

async function isRunning(pid: number): Promise<boolean> {
  return stat(`/proc/${pid}`).then(
    () => true,
    () => false,
  );
}

async function serverPid(dataDirectory: string): Promise<number> {
  return Number((await readFile(join(dataDirectory, 'cluster/postmaster.pid'), 'utf8')).split('\n')[0]);
}

describe('embedded PostgreSQL', () => {
  test('keeps its data between runs, listens on the loopback only, and leaves no process', async () => {
    const dataDirectory = join(folder, 'kept');
    const first = await startEmbeddedPostgres({ dataDirectory });
    await query(first.databaseUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    expect(await query(first.databaseUrl, 'SHOW listen_addresses')).toEqual(['127.0.0.1']);
    expect(await query(first.databaseUrl, 'SHOW unix_socket_directories')).toEqual(['']);
    expect((await stat(join(dataDirectory, 'password'))).mode & 0o777).toBe(0o600);
    const pid = await serverPid(dataDirectory);
    await first.stop();
    await first.stop();
    expect(await isRunning(pid)).toBe(false);

    const second = await startEmbeddedPostgres({ dataDirectory });
    expect(await query(second.databaseUrl, 'SELECT answer FROM kept')).toEqual([42]);
    await second.stop();
  });

  test('requires its password', async () => {
    const postgres = await startEmbeddedPostgres({ dataDirectory: join(folder, 'locked') });
    const url = new URL(postgres.databaseUrl);
    url.password = 'guess';
    await expect(query(url.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    await postgres.stop();
  });

  test('refuses a second owner while the first one is alive', async () => {
    const dataDirectory = join(folder, 'owned');
    const first = await startEmbeddedPostgres({ dataDirectory });
    await expect(startEmbeddedPostgres({ dataDirectory })).rejects.toMatchObject({
      code: 'postgres-in-use',
      message: expect.stringContaining(String(process.pid)),
    });
    expect(await query(first.databaseUrl, 'SELECT 1')).toEqual([1]);
    await first.stop();
  });

  test('reports why it cannot start', async () => {
    const dataDirectory = join(folder, 'odd');
    const start = startEmbeddedPostgres({ dataDirectory, settings: { fsync: 'off', shared_buffers: 'plenty' } });
    await expect(start).rejects.toMatchObject({
      code: 'postgres-failed',
      message: expect.stringContaining('shared_buffers'),
    });
  });
});

// The store's contract: a crash may lose the last rotations, which signs no user out, and never a revocation.
test('a killed database signs no user out and loses no revocation', async () => {
  const dataDirectory = join(folder, 'killed');
  // A long delay keeps asynchronous commits from reaching the disk before the crash.
  const settings = { wal_writer_delay: '10000' };
  const before = await startEmbeddedPostgres({ dataDirectory, settings });
  const server = await startTestServer(before.databaseUrl);
  const [kept, revoked] = [await server.signIn(), await server.signIn()];
  for (const { sid } of [kept, revoked]) await server.letTimePass(sid, 60_000);
  await server.holdfast.sessions.revoke(revoked.sid);
  const { body } = await server.refresh(kept.refreshToken);
  const newest = String(body['refresh_token']);
  // Kill the postmaster and all its children at once, as a power cut would.
  const pid = await serverPid(dataDirectory);
  process.kill(-(await groupOf(pid)), 'SIGKILL');
  await before.stop();
  expect(await server.refresh(newest)).toMatchObject({ status: 503 });
  await server.holdfast.close();

  const after = await startEmbeddedPostgres({ dataDirectory });
  const recovered = await startTestServer(after.databaseUrl);
  expect(await recovered.refresh(newest)).toMatchObject({ status: 200 });
  await recovered.letTimePass(kept.sid, 60_000);
  expect(await recovered.refresh(newest)).toMatchObject({ status: 200, body: { refresh_token: expect.any(String) } });
  expect(await recovered.refresh(revoked.refreshToken)).toMatchObject({ status: 400, body: { reason: 'revoked' } });
  const outcomes = recovered.events.flatMap((event) => (event.type === 'refresh.answered' ? [event.outcome] : []));
  // Either the rotation reached the disk before the crash, or the session healed.
  expect([
    ['access_token_only', 'rotated'],
    ['healed', 'rotated'],
  ]).toContainEqual(outcomes);
  await recovered.holdfast.close();
  await after.stop();
});

async function groupOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8');
  return Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[2]);
}
