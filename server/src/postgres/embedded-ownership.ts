import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, readlink, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { HoldfastServerError } from '../kernel/errors.ts';

/** Milliseconds that a server may take to stop after its owner died. */
const ORPHAN_PATIENCE_MS = 10_000;
const POLL_MS = 25;

/** Claims are files `owner.<number>`; the highest number counts. */
const CLAIM = /^owner\.(\d+)$/;

/**
 * Makes this process the only owner of a data directory. An owner that no longer runs has lost it.
 *
 * A claim is a file with a new number, one above the last. It appears complete or not at all, and no process ever
 * removes the last one. If several processes find an owner dead at the same moment, one gets the next number, and the
 * others find a living owner. Replacing the dead owner's file instead would let a slow process remove a fast one's new
 * file.
 *
 * @returns a function that releases the ownership
 * @throws HoldfastServerError `postgres-in-use` that names the other process
 */
export async function claimOwnership(dataDirectory: string): Promise<() => Promise<void>> {
  const draft = join(dataDirectory, `claim.${randomUUID()}`);
  await writeFile(draft, `${process.pid} ${await startOf(process.pid)}`, { flag: 'wx', mode: 0o600 });
  try {
    for (;;) {
      const [last = 0] = await listClaims(dataDirectory);
      await refuseLiveOwner(dataDirectory, last);
      const claim = claimFile(dataDirectory, last + 1);
      if (!(await appears(draft, claim))) continue;
      const [highest, ...older] = await listClaims(dataDirectory);
      if (highest === last + 1) {
        for (const number of older) await rm(claimFile(dataDirectory, number), { force: true });
        return () => release(claim);
      }
      // Another process used and cleared this number meanwhile, so this claim is stale.
      await rm(claim, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** Numbers of the claims, highest first. */
async function listClaims(dataDirectory: string): Promise<readonly number[]> {
  const names = await readdir(dataDirectory);
  return names.flatMap((name) => CLAIM.exec(name)?.slice(1).map(Number) ?? []).toSorted((a, b) => b - a);
}

function claimFile(dataDirectory: string, number: number): string {
  return join(dataDirectory, `owner.${number}`);
}

/** @throws HoldfastServerError `postgres-in-use` */
async function refuseLiveOwner(dataDirectory: string, claim: number): Promise<void> {
  const owner = await readFile(claimFile(dataDirectory, claim), 'utf8').catch(() => '');
  const [pid = '', start = ''] = owner.split(' ');
  if (!isRunning(Number(pid)) || (await startOf(Number(pid))) !== start) return;
  throw new HoldfastServerError('postgres-in-use', `process ${pid} runs a server on ${dataDirectory}: stop it first`);
}

/** Links a written file to a second name atomically. @returns false if the name is taken */
async function appears(draft: string, name: string): Promise<boolean> {
  try {
    await link(draft, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Releases a claim by emptying it: an empty claim has no owner, and its number stays used. */
async function release(claim: string): Promise<void> {
  try {
    await truncate(claim);
  } catch (error) {
    // The folder may already be gone.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/**
 * Stops a server that outlived its owner, for example after a crash of the whole process group.
 *
 * @throws HoldfastServerError `postgres-in-use` if it does not stop
 */
export async function stopOrphan(cluster: string, log: (line: string) => void): Promise<void> {
  const pid = Number((await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0]);
  if (!isRunning(pid)) return;
  // A zombie still counts as running to the next server.
  const isDead = await isZombie(pid);
  if (!isDead && !(await isServerOf(pid, cluster))) return;
  if (!isDead) {
    log(`stopping PostgreSQL ${pid}, left over from a run that was killed`);
    process.kill(pid, 'SIGINT');
  }
  for (let waitedMs = 0; waitedMs < ORPHAN_PATIENCE_MS; waitedMs += POLL_MS) {
    if (!isRunning(pid)) return;
    await sleep(POLL_MS);
  }
  throw new HoldfastServerError('postgres-in-use', `PostgreSQL ${pid} on ${cluster} does not stop: end it by hand`);
}

function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Start time of a process in kernel ticks. Distinguishes it from a later process with the same id. */
async function startOf(pid: number): Promise<string> {
  return (await statusOf(pid))[19] ?? '';
}

async function isZombie(pid: number): Promise<boolean> {
  return (await statusOf(pid))[0] === 'Z';
}

/**
 * The fields of /proc/pid/stat from the third on. The second, the program's name in parentheses, may hold any
 * character.
 */
async function statusOf(pid: number): Promise<readonly string[]> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return status.slice(status.lastIndexOf(')') + 2).split(' ');
}

/** True if the process is this cluster's server and not another process that reuses its id. */
async function isServerOf(pid: number, cluster: string): Promise<boolean> {
  const directory = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  if (directory !== null) return directory === (await realpath(cluster));
  const { stdout } = await promisify(execFile)('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
  return stdout.includes(cluster);
}
