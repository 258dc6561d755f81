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

/** The lock as a process that is gone left it. */
function leaveLock(name: string): string {
  mkdirSync(lockPath);
  const file = path.join(lockPath, name);
  writeFileSync(file, '');
  return file;
}

const elsewhere = (): string => createOwnerName().replace(/\.[0-9a-f]{12}\./u, '.000000000000.');

describe('a lock that was left behind', () => {
  it('by a process that died is taken at once, also by who does not wait', async () => {
    // No process has the largest number that a name can hold.
    leaveLock(createOwnerName().replace(/^\d+\.\d*/u, '9999999999.1'));
    const held = await createLock(lockPath)(0);
    expect(held).not.toBeNull();
    held?.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('by another machine or container is waited for, and taken only when no refresh can take that long', async () => {
    const file = leaveLock(elsewhere());
    expect(await createLock(lockPath)(30)).toBeNull();
    const longAgo = Date.now() / 1_000 - 3_600;
    utimesSync(file, longAgo, longAgo);
    expect(await createLock(lockPath)(30)).not.toBeNull();
  });

  it('with nothing in it, or with something that is no holder, is free', async () => {
    mkdirSync(lockPath);
    (await createLock(lockPath)(0))?.release();
    leaveLock('.DS_Store');
    expect(await createLock(lockPath)(0)).not.toBeNull();
  });

  it('by who died waiting is tidied up; who waits still is left alone', async () => {
    const dead = `${lockPath}.${createOwnerName().replace(/^\d+\.\d*/u, '9999999999.1')}`;
    const waiting = `${lockPath}.${createOwnerName()}`;
    mkdirSync(dead);
    mkdirSync(waiting);
    (await createLock(lockPath)(0))?.release();
    expect(existsSync(dead)).toBe(false);
    expect(existsSync(waiting)).toBe(true);
  });
});

describe('a holder that lives', () => {
  it('keeps the lock, however long somebody waits', async () => {
    const held = await createLock(lockPath)(0);
    expect(await createLock(lockPath)(100)).toBeNull();
    held?.release();
  });

  it('frozen in the middle of a write, loses the lock and then changes nothing', async () => {
    const file = path.join(folder, 'app.json');
    const lock = createLock(lockPath, { breakAfterMs: 30 });
    const frozen = await lock(0);
    const next = await lock(5_000);
    expect(next && (await commit(next, file, 'new'))).toBe(true);
    expect(frozen && (await commit(frozen, file, 'old'))).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  it('that lost the lock does not give away the lock of the next one', async () => {
    const lock = createLock(lockPath, { breakAfterMs: 30 });
    const frozen = await lock(0);
    const next = await lock(5_000);
    frozen?.release();
    expect(await createLock(lockPath)(30)).toBeNull();
    next?.release();
  });
});

describe('who holds a lock', () => {
  const realm = '0123456789ab';
  const owner: Owner = { pid: 7, startedAt: '100', realm };
  const cases: readonly (readonly [string, Owner, string | null, string])[] = [
    ['the same process', owner, '100', 'alive'],
    ['nobody any more', owner, null, 'gone'],
    ['a later process with the same number', owner, '200', 'gone'],
    ['a process on a system that tells no start times', owner, '', 'alive'],
    ['a process that told no start time', { ...owner, startedAt: '' }, '200', 'alive'],
    [
      'a process of another container or before the last start',
      { ...owner, realm: 'ba9876543210' },
      '100',
      'elsewhere',
    ],
  ];
  it.each(cases)('%s', (_name, holder, startedAt, state) => {
    expect(stateOf(holder, () => startedAt, realm)).toBe(state);
  });

  it('is told from its name, and this process from others', () => {
    const own = parseOwnerName(createOwnerName());
    expect(own).toMatchObject({ pid: process.pid });
    expect(own && stateOf(own)).toBe('alive');
    expect(readStart(9_999_999_999)).toBeNull();
    expect(parseOwnerName('notes.txt')).toBeNull();
  });
});
