import path from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { buildPortProcess, createFolder, startPortProcess, type PortProcess } from '../testing/processes.ts';
import { localHolder, refreshLockContract, refreshLockDeathContract } from '../testing/refresh-lock-contract.ts';
import { fileRefreshLock } from './refresh-lock.ts';

let program: string;
let home: ReturnType<typeof createFolder>;
beforeAll(async () => {
  home = createFolder();
  program = await buildPortProcess(home.folder);
});
afterAll(() => home.remove());

refreshLockContract('the file lock, by objects of one process,', () => {
  const { folder, remove } = createFolder();
  const file = path.join(folder, 'app.lock');
  return Promise.resolve({
    open: () => Promise.resolve(localHolder(fileRefreshLock(file))),
    close: () => Promise.resolve(remove()),
  });
});

/** Locks of separate processes on one file. */
function betweenProcesses() {
  const { folder, remove } = createFolder();
  const file = path.join(folder, 'app.lock');
  const processes: PortProcess[] = [];
  return Promise.resolve({
    open: () => {
      const each = startPortProcess(program);
      processes.push(each);
      return Promise.resolve({ ...each.holder(file), kill: () => each.kill(), pid: each.pid });
    },
    close: async () => {
      await Promise.all(processes.map((each) => each.kill()));
      remove();
    },
  });
}

refreshLockContract('the file lock, by processes,', betweenProcesses);
refreshLockDeathContract('the file lock', betweenProcesses);

describe('the file lock', () => {
  it('is not taken from a stopped process, which may continue at any moment', async () => {
    const refreshLock = await betweenProcesses();
    onTestFinished(() => refreshLock.close());
    const [holder, other] = [await refreshLock.open(), await refreshLock.open()];
    const release = await holder.acquire(5_000, 0);
    process.kill(holder.pid, 'SIGSTOP');
    expect(await other.acquire(100, 0)).toBeNull();
    process.kill(holder.pid, 'SIGCONT');
    await release?.();
    expect(await other.acquire(5_000, 0)).not.toBeNull();
  });

  it('ends its wait when its refresh is aborted, so that a finished process can exit', async () => {
    const { folder, remove } = createFolder();
    onTestFinished(remove);
    const file = path.join(folder, 'app.lock');
    const release = await fileRefreshLock(file)(0, 1);
    const controller = new AbortController();
    const startMs = performance.now();
    const waiting = fileRefreshLock(file)(60_000, 1, controller.signal);
    controller.abort();
    expect(await waiting).toBeNull();
    expect(performance.now() - startMs).toBeLessThan(30_000);
    // The aborted wait has left nothing that blocks the lock.
    release?.();
    expect(await fileRefreshLock(file)(0, 1)).not.toBeNull();
  });

  it('resolves with `null` if no lock can be created, because a refresh is safe without it', async () => {
    // A file has no entries.
    expect(await fileRefreshLock(path.join(program, 'app.lock'))(50, 0)).toBeNull();
  });
});
