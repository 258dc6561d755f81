import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredSession, Vault, VaultRecord } from '../core/ports.ts';
import { storedSession } from './stored-session.ts';

// The contract of every vault. Each platform runs it with its own vault.

const next = (session: StoredSession | null): { session: StoredSession | null; endedReason: 'user' | null } => ({
  session,
  endedReason: session ? null : 'user',
});

const versionOf = (record: VaultRecord | null): number => record?.version ?? 0;

/** Tests compare-and-swap. */
function testSwaps(open: () => Vault): void {
  it('refuses a write with an old version, and returns the stored record', async () => {
    const first = await open().compareAndSwap(0, next(storedSession({ refreshToken: 'first' })));
    const second = await open().compareAndSwap(
      versionOf(first.record),
      next(storedSession({ refreshToken: 'second' })),
    );
    const late = await open().compareAndSwap(versionOf(first.record), next(storedSession({ refreshToken: 'late' })));
    expect(late).toEqual({ isSwapped: false, record: second.record });
    expect((await open().read())?.session?.refreshToken).toBe('second');
  });

  it('refuses a late token response after a sign-out, so that it signs no user in again', async () => {
    const before = await open().compareAndSwap(0, next(storedSession()));
    await open().compareAndSwap(null, next(null));
    const late = await open().compareAndSwap(versionOf(before.record), next(storedSession({ refreshToken: 'late' })));
    expect(late).toMatchObject({ isSwapped: false, record: { session: null } });
    expect((await open().read())?.session).toBeNull();
  });

  it('accepts version 0 only if nothing is stored', async () => {
    const { record } = await open().compareAndSwap(0, next(storedSession()));
    expect(await open().compareAndSwap(0, next(storedSession({ refreshToken: 'other' })))).toEqual({
      isSwapped: false,
      record,
    });
  });

  it('accepts exactly one of many writes with the same version, and returns its record to all', async () => {
    const { record } = await open().compareAndSwap(0, next(storedSession()));
    const race = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        open().compareAndSwap(versionOf(record), next(storedSession({ refreshToken: `racer-${at}` }))),
      ),
    );
    expect(race.filter(({ isSwapped }) => isSwapped)).toHaveLength(1);
    const stored = await open().read();
    expect(race.map((outcome) => outcome.record)).toEqual(race.map(() => stored));
  });
}

/** The contract of every vault, also of one in memory. `create` makes an empty one. */
export function vaultContract(
  name: string,
  create: () => Promise<{ readonly vault: Vault; readonly close: () => Promise<void> }>,
): void {
  describe(`${name} keeps the session`, () => {
    let vault: Vault;
    let close = (): Promise<void> => Promise.resolve();
    beforeEach(async () => {
      ({ vault, close } = await create());
    });
    afterEach(() => close());

    it('reads as `null` before the first write', async () => {
      expect(await vault.read()).toBeNull();
    });

    it('reads back the complete session', async () => {
      const { isSwapped, record } = await vault.compareAndSwap(0, next(storedSession()));
      expect(isSwapped).toBe(true);
      expect(record).toMatchObject({ session: storedSession(), endedReason: null });
      expect(await vault.read()).toEqual(record);
    });

    it('reads back a session without `sid`, `sub` and refresh token', async () => {
      const nothing = { sid: null, sub: null, refreshToken: null, scope: null, expiresAtMs: null, access: null };
      await vault.compareAndSwap(0, next(storedSession(nothing)));
      expect((await vault.read())?.session).toEqual(storedSession(nothing));
    });

    it('tells a sign-out from a vault that was never written', async () => {
      await vault.compareAndSwap(0, next(storedSession()));
      await vault.compareAndSwap(null, next(null));
      expect(await vault.read()).toMatchObject({ session: null, endedReason: 'user' });
    });

    it('keeps the time of a sign-out, so that it does not end a later session', async () => {
      await vault.compareAndSwap(0, { ...next(null), endedAtMs: 1_700_000_000_000 });
      expect(await vault.read()).toMatchObject({ session: null, endedAtMs: 1_700_000_000_000 });
    });

    it('changes the version at every write, also of an equal session', async () => {
      const versions = new Set<number>();
      for (let write = 0; write < 5; write++)
        versions.add(versionOf((await vault.compareAndSwap(null, next(storedSession()))).record));
      expect(versions.size).toBe(5);
      expect(versions.has(0)).toBe(false);
    });

    testSwaps(() => vault);
  });
}

/** One store that several tabs or processes open. */
export type SharedStore = {
  /** Opens it in one more tab or process. */
  open(): Promise<Vault>;
  /** Empties it from outside, as a user does who clears site data or deletes files. */
  empty(): Promise<void>;
  close(): Promise<void>;
};

/** Adds one to a number in the store, and retries until its write is accepted. */
async function increment(vault: Vault): Promise<void> {
  for (;;) {
    const before = await vault.read();
    const startedAtMs = (before?.session?.startedAtMs ?? 0) + 1;
    if ((await vault.compareAndSwap(versionOf(before), next(storedSession({ startedAtMs })))).isSwapped) return;
  }
}

/** The contract of a vault that tabs or processes share. `create` makes an empty store. */
export function sharedVaultContract(name: string, create: () => Promise<SharedStore>): void {
  describe(`${name} is shared`, () => {
    let store: SharedStore;
    beforeEach(async () => {
      store = await create();
    });
    afterEach(() => store.close());

    it('keeps its record for a tab or process that opens it later', async () => {
      const { record } = await (await store.open()).compareAndSwap(0, next(storedSession()));
      expect(await (await store.open()).read()).toEqual(record);
    });

    it('shows a sign-out in one tab or process to all others', async () => {
      const [here, there] = [await store.open(), await store.open()];
      await here.compareAndSwap(0, next(storedSession()));
      await there.compareAndSwap(null, next(null));
      expect((await here.read())?.session).toBeNull();
    });

    it('accepts only one of many first writes', async () => {
      const holders = await Promise.all(Array.from({ length: 4 }, () => store.open()));
      const race = await Promise.all(
        holders.map((holder, at) => holder.compareAndSwap(0, next(storedSession({ refreshToken: `first-${at}` })))),
      );
      expect(race.filter(({ isSwapped }) => isSwapped)).toHaveLength(1);
      const stored = await holders[0]?.read();
      expect(race.map(({ record }) => record)).toEqual(race.map(() => stored));
    });

    it('loses no write when many read, compare and write at once', async () => {
      const holders = await Promise.all(Array.from({ length: 4 }, () => store.open()));
      const rounds = 15;
      await Promise.all(
        holders.map(async (holder) => {
          for (let round = 0; round < rounds; round++) await increment(holder);
        }),
      );
      expect((await holders[0]?.read())?.session?.startedAtMs).toBe(holders.length * rounds);
    });

    it('reads as `null` after it was emptied from outside, and can be written again', async () => {
      const [here, there] = [await store.open(), await store.open()];
      await here.compareAndSwap(0, next(storedSession()));
      await store.empty();
      expect(await there.read()).toBeNull();
      expect(await there.compareAndSwap(0, next(storedSession()))).toMatchObject({ isSwapped: true });
      expect((await here.read())?.session).toEqual(storedSession());
    });
  });
}
