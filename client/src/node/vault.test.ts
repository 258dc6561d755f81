import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createFolder, buildPortProcess, startPortProcess, type PortProcess } from '../testing/processes.ts';
import { storedSession } from '../testing/stored-session.ts';
import { sharedVaultContract, vaultContract } from '../testing/vault-contract.ts';
import { fileVault } from './vault.ts';

let program: string;
let home: ReturnType<typeof createFolder>;
beforeAll(async () => {
  home = createFolder();
  program = await buildPortProcess(home.folder);
});
afterAll(() => home.remove());

let warnings: string[] = [];
const warn = (message: string): void => void warnings.push(message);
beforeEach(() => {
  warnings = [];
});

vaultContract('the file vault', () => {
  const { folder, remove } = createFolder();
  return Promise.resolve({
    vault: fileVault(path.join(folder, 'app.json'), warn),
    close: () => Promise.resolve(remove()),
  });
});

sharedVaultContract('the file vault, by objects of one process,', () => {
  const { folder, remove } = createFolder();
  const file = path.join(folder, 'app.json');
  return Promise.resolve({
    open: () => Promise.resolve(fileVault(file, warn)),
    empty: () => Promise.resolve(rmSync(file)),
    close: () => Promise.resolve(remove()),
  });
});

sharedVaultContract('the file vault, by processes,', () => {
  const { folder, remove } = createFolder();
  const file = path.join(folder, 'app.json');
  const processes: PortProcess[] = [];
  return Promise.resolve({
    open: () => {
      const each = startPortProcess(program);
      processes.push(each);
      return Promise.resolve(each.vault(file));
    },
    empty: () => Promise.resolve(rmSync(file)),
    close: async () => {
      await Promise.all(processes.map((each) => each.kill()));
      remove();
    },
  });
});

describe('the file vault', () => {
  let folder: string;
  let file: string;
  let remove = (): void => {};
  beforeEach(() => {
    ({ folder, remove } = createFolder());
    file = path.join(folder, 'app.json');
  });
  afterEach(() => remove());

  const write = (refreshToken: string) =>
    fileVault(file, warn).compareAndSwap(null, { session: storedSession({ refreshToken }), endedReason: null });

  it('leaves one file, which only its owner can read', async () => {
    await write('first');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['app.json']);
  });

  it('keeps a complete session when a writer is killed at any moment, and stays writable', async () => {
    for (let round = 1; round <= 8; round++) {
      const writer = startPortProcess(program);
      onTestFinished(() => writer.kill());
      await writer.hammer(file, round * 2);
      await writer.kill();
      const found = await fileVault(file, warn).read();
      expect(found?.session?.startedAtMs).toBeGreaterThanOrEqual(round * 2);
      expect((await write(`after ${round}`)).isSwapped).toBe(true);
    }
    expect(warnings).toEqual([]);
    expect(readdirSync(folder)).toEqual(['app.json']);
  });

  const damages: readonly (readonly [string, (whole: string) => string])[] = [
    ['cut off', (whole) => whole.slice(0, whole.length / 2)],
    ['empty', () => ''],
    ['no JSON', () => 'not a session'],
    ['JSON of something else', () => '{"name":"package"}'],
    ['without its version', (whole) => whole.replace(/"version":\d+,?/u, '').replace(',}', '}')],
    ['with a token that is none', (whole) => whole.replace('"refreshToken":"first"', '"refreshToken":7')],
    ['zeros, as after a power failure', (whole) => '\0'.repeat(whole.length)],
    ['far too long', () => 'x'.repeat(2_000_000)],
  ];
  it.each(damages)(
    'a damaged file (%s) is reported as `storage-lost` until the next write, and set aside',
    async (_name, damage) => {
      const before = await write('first');
      const damaged = damage(readFileSync(file, 'utf8'));
      writeFileSync(file, damaged);
      const lost = await fileVault(file, warn).read();
      expect(lost).toMatchObject({ session: null, endedReason: 'storage-lost' });
      expect(await fileVault(file, warn).read()).toEqual(lost);
      expect(readFileSync(`${file}.damaged`, 'utf8')).toBe(damaged);
      expect(warnings).toEqual([expect.stringContaining('damaged')]);
      const stale = await fileVault(file, warn).compareAndSwap(before.record?.version ?? 0, {
        session: null,
        endedReason: 'user',
      });
      expect(stale).toEqual({ isSwapped: false, record: lost });
      expect((await write('second')).isSwapped).toBe(true);
    },
  );

  it('refuses a version from before the file was deleted and written again', async () => {
    const before = await write('ada');
    rmSync(file);
    await write('grace');
    const late = await fileVault(file, warn).compareAndSwap(before.record?.version ?? 0, {
      session: null,
      endedReason: 'user',
    });
    expect(late.isSwapped).toBe(false);
    expect(late.record?.session?.refreshToken).toBe('grace');
  });

  it('a file of a newer version stays unchanged', async () => {
    const future = '{"format":2,"whatever":true}';
    writeFileSync(file, future, { mode: 0o600 });
    const refusal = { code: 'storage-unavailable', message: expect.stringContaining('newer version') };
    await expect(fileVault(file, warn).read()).rejects.toMatchObject(refusal);
    await expect(write('first')).rejects.toMatchObject(refusal);
    expect(readFileSync(file, 'utf8')).toBe(future);
  });

  it('keeps members that a later version added to the session', async () => {
    await write('first');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"sid":', '"later":1,"sid":'));
    expect((await fileVault(file, warn).read())?.session).toMatchObject({ later: 1, refreshToken: 'first' });
  });

  it.runIf(process.getuid)('a file that others could read becomes private, and the user gets a warning', async () => {
    await write('first');
    chmodSync(file, 0o644);
    expect((await fileVault(file, warn).read())?.session?.refreshToken).toBe('first');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(warnings).toEqual([expect.stringContaining(file)]);
    expect(warnings.join('')).not.toContain('first');
  });

  it('rejects for a link, and for a folder in place of the file', async () => {
    const elsewhere = path.join(folder, 'elsewhere.json');
    await write('first');
    writeFileSync(elsewhere, readFileSync(file));
    rmSync(file);
    symlinkSync(elsewhere, file);
    await expect(fileVault(file, warn).read()).rejects.toMatchObject({ code: 'storage-unavailable' });
    rmSync(file);
    mkdirSync(file);
    await expect(fileVault(file, warn).read()).rejects.toMatchObject({
      code: 'storage-unavailable',
      message: expect.stringContaining('not a file'),
    });
  });

  it('rejects a write for good if no lock can be created, and keeps the session', async () => {
    await write('first');
    // The folder of the lock cannot be created inside a file.
    const blocked = path.join(file, 'app.json');
    await expect(
      fileVault(blocked, warn).compareAndSwap(0, { session: null, endedReason: null }),
    ).rejects.toMatchObject({
      code: 'storage-unavailable',
      isRetryable: false,
    });
    expect((await fileVault(file, warn).read())?.session?.refreshToken).toBe('first');
  });

  it('no error and no warning contains a token', async () => {
    await write('secret-token');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"format":1', '"format":9'));
    const error: unknown = await fileVault(file, warn)
      .read()
      .catch((reason: unknown) => reason);
    expect(`${String(error)} ${JSON.stringify(error)} ${warnings.join('')}`).not.toContain('secret-token');
    expect(existsSync(file)).toBe(true);
  });
});
