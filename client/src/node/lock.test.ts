import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFolder } from '../testing/processes.ts';
import { createLock } from './lock.ts';
import { commit } from './private-file.ts';
import { createOwnerName, parseOwnerName, readStart, stateOf, type Owner } from './process-owner.ts';

let folder: string;
let lockPath: string;
let remove = (): void => {};
beforeEach(() => {
  ({ folder, remove } = createFolder());
  lockPath = path.join(folder, 'app.lock');
});
afterEach(() => remove());

/** Creates the lock as a dead holder left it. */
function leaveLock(name: string): string {
  mkdirSync(lockPath);
  const file = path.join(lockPath, name);
  writeFileSync(file, '');
  return file;
}

const elsewhere = (): string => createOwnerName().replace(/\.[0-9a-f]{12}\./u, '.000000000000.');

describe('a lock that was left behind', () => {
  it('by a dead process is acquired at once, also with a wait of 0', async () => {
    // No process has the largest number that fits into a name.
    leaveLock(createOwnerName().replace(/^\d+\.\d*/u, '9999999999.1'));
    const held = await createLock(lockPath)(0);
    expect(held).not.toBeNull();
    held?.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('by another machine or container is acquired only once it is older than any refresh', async () => {
    const file = leaveLock(elsewhere());
    expect(await createLock(lockPath)(30)).toBeNull();
    const longAgo = Date.now() / 1_000 - 3_600;
    utimesSync(file, longAgo, longAgo);
    expect(await createLock(lockPath)(30)).not.toBeNull();
  });

  it('is free if it is empty, or holds a file that names no holder', async () => {
    mkdirSync(lockPath);
    (await createLock(lockPath)(0))?.release();
    leaveLock('.DS_Store');
    expect(await createLock(lockPath)(0)).not.toBeNull();
  });

  it('as a candidate is removed if its process died, and stays if its process still waits', async () => {
    const dead = `${lockPath}.${createOwnerName().replace(/^\d+\.\d*/u, '9999999999.1')}`;
    const waiting = `${lockPath}.${createOwnerName()}`;
    mkdirSync(dead);
    mkdirSync(waiting);
    (await createLock(lockPath)(0))?.release();
    expect(existsSync(dead)).toBe(false);
    expect(existsSync(waiting)).toBe(true);
  });
});

describe('a live holder', () => {
  it('keeps the lock while another process waits', async () => {
    const held = await createLock(lockPath)(0);
    expect(await createLock(lockPath)(100)).toBeNull();
    held?.release();
  });

  it('that was frozen during a write loses the lock and then changes nothing', async () => {
    const file = path.join(folder, 'app.json');
    const lock = createLock(lockPath, { breakAfterMs: 30 });
    const frozen = await lock(0);
    const next = await lock(5_000);
    expect(next && (await commit(next, file, 'new'))).toBe(true);
    expect(frozen && (await commit(frozen, file, 'old'))).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  it('that lost the lock does not release the next holder’s lock', async () => {
    const lock = createLock(lockPath, { breakAfterMs: 30 });
    const frozen = await lock(0);
    const next = await lock(5_000);
    frozen?.release();
    expect(await createLock(lockPath)(30)).toBeNull();
    next?.release();
  });
});

describe('the owner of a lock', () => {
  const realm = '0123456789ab';
  const owner: Owner = { pid: 7, startedAt: '100', realm };
  const cases: readonly (readonly [string, Owner, string | null, string])[] = [
    ['the same process', owner, '100', 'alive'],
    ['a process that has ended', owner, null, 'gone'],
    ['a later process with the same number', owner, '200', 'gone'],
    ['a process on a system without start times', owner, '', 'alive'],
    ['a process that stored no start time', { ...owner, startedAt: '' }, '200', 'alive'],
    ['a process of another container or before the last boot', { ...owner, realm: 'ba9876543210' }, '100', 'elsewhere'],
  ];
  it.each(cases)('%s', (_name, holder, startedAt, state) => {
    expect(stateOf(holder, () => startedAt, realm)).toBe(state);
  });

  it('is read from the name of its file', () => {
    const own = parseOwnerName(createOwnerName());
    expect(own).toMatchObject({ pid: process.pid });
    expect(own && stateOf(own)).toBe('alive');
    expect(readStart(9_999_999_999)).toBeNull();
    expect(parseOwnerName('notes.txt')).toBeNull();
  });
});
