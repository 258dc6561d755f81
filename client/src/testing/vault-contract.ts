import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredSession, Vault, VaultRecord } from '../core/ports.ts';
import { storedSession } from './stored-session.ts';

// What every vault must do. Each platform runs it on its own: a test here is a promise to a user.

const next = (session: StoredSession | null): { session: StoredSession | null; endedReason: 'user' | null } => ({
  session,
  endedReason: session ? null : 'user',
});

const stampOf = (record: VaultRecord | null): number => record?.stamp ?? 0;

/** Writes that know of each other, and those that do not. */
function testSwaps(open: () => Vault): void {
  it('refuses a write that builds on an older one, and answers what is there', async () => {
    const first = await open().replace(0, next(storedSession({ refreshToken: 'first' })));
    const second = await open().replace(stampOf(first.record), next(storedSession({ refreshToken: 'second' })));
    const late = await open().replace(stampOf(first.record), next(storedSession({ refreshToken: 'late' })));
    expect(late).toEqual({ replaced: false, record: second.record });
    expect((await open().read())?.session?.refreshToken).toBe('second');
  });

  it('refuses a late answer after a sign-out: nobody is signed in again by it', async () => {
    const before = await open().replace(0, next(storedSession()));
    await open().replace(null, next(null));
    const late = await open().replace(stampOf(before.record), next(storedSession({ refreshToken: 'late' })));
    expect(late).toMatchObject({ replaced: false, record: { session: null } });
    expect((await open().read())?.session).toBeNull();
  });

  it('takes 0 for "nothing stored" only', async () => {
    const { record } = await open().replace(0, next(storedSession()));
    expect(await open().replace(0, next(storedSession({ refreshToken: 'other' })))).toEqual({
      replaced: false,
      record,
    });
  });

  it('lets exactly one of many writes that know the same stamp through, and tells the others which', async () => {
    const { record } = await open().replace(0, next(storedSession()));
    const race = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        open().replace(stampOf(record), next(storedSession({ refreshToken: `racer-${at}` }))),
      ),
    );
    expect(race.filter(({ replaced }) => replaced)).toHaveLength(1);
    const stored = await open().read();
    expect(race.map((outcome) => outcome.record)).toEqual(race.map(() => stored));
  });
}

/** Promises of every vault, also of one that lives as long as the process. `create` makes an empty one. */
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

    it('says that it never held anything', async () => {
      expect(await vault.read()).toBeNull();
    });

    it('gives back what was written, whole', async () => {
      const { replaced, record } = await vault.replace(0, next(storedSession()));
      expect(replaced).toBe(true);
      expect(record).toMatchObject({ session: storedSession(), endedReason: null });
      expect(await vault.read()).toEqual(record);
    });

    it('gives back a session that a cookie carries and whose server names nothing', async () => {
      const nothing = { sid: null, sub: null, refreshToken: null, scope: null, expiresAtMs: null, access: null };
      await vault.replace(0, next(storedSession(nothing)));
      expect((await vault.read())?.session).toEqual(storedSession(nothing));
    });

    it('tells a sign-out from never having been signed in', async () => {
      await vault.replace(0, next(storedSession()));
      await vault.replace(null, next(null));
      expect(await vault.read()).toMatchObject({ session: null, endedReason: 'user' });
    });

    it('keeps when a sign-out was: whoever has signed in since is not signed out by it', async () => {
      await vault.replace(0, { ...next(null), endedAtMs: 1_700_000_000_000 });
      expect(await vault.read()).toMatchObject({ session: null, endedAtMs: 1_700_000_000_000 });
    });

    it('changes the stamp at every write, also of the same', async () => {
      const stamps = new Set<number>();
      for (let write = 0; write < 5; write++)
        stamps.add(stampOf((await vault.replace(null, next(storedSession()))).record));
      expect(stamps.size).toBe(5);
      expect(stamps.has(0)).toBe(false);
    });

    testSwaps(() => vault);
  });
}

/** One store that several tabs or processes open. */
export type SharedStore = {
  /** Opens it as one more tab or process would. */
  open(): Promise<Vault>;
  /** Empties it from outside, as somebody who clears site data or removes files does. */
  empty(): Promise<void>;
  close(): Promise<void>;
};

/** Adds one to a number in the store, as often as it takes. */
async function increment(vault: Vault): Promise<void> {
  for (;;) {
    const before = await vault.read();
    const startedAtMs = (before?.session?.startedAtMs ?? 0) + 1;
    if ((await vault.replace(stampOf(before), next(storedSession({ startedAtMs })))).replaced) return;
  }
}

/** Promises of a vault that tabs or processes share. `create` makes an empty store. */
export function sharedVaultContract(name: string, create: () => Promise<SharedStore>): void {
  describe(`${name} is shared`, () => {
    let store: SharedStore;
    beforeEach(async () => {
      store = await create();
    });
    afterEach(() => store.close());

    it('is still there for who comes later', async () => {
      const { record } = await (await store.open()).replace(0, next(storedSession()));
      expect(await (await store.open()).read()).toEqual(record);
    });

    it('a sign-out in one place is a sign-out in all', async () => {
      const [here, there] = [await store.open(), await store.open()];
      await here.replace(0, next(storedSession()));
      await there.replace(null, next(null));
      expect((await here.read())?.session).toBeNull();
    });

    it('the first session is written once, however many are first', async () => {
      const holders = await Promise.all(Array.from({ length: 4 }, () => store.open()));
      const race = await Promise.all(
        holders.map((holder, at) => holder.replace(0, next(storedSession({ refreshToken: `first-${at}` })))),
      );
      expect(race.filter(({ replaced }) => replaced)).toHaveLength(1);
      const stored = await holders[0]?.read();
      expect(race.map(({ record }) => record)).toEqual(race.map(() => stored));
    });

    it('no write is lost when many read, compare and write at once', async () => {
      const holders = await Promise.all(Array.from({ length: 4 }, () => store.open()));
      const rounds = 15;
      await Promise.all(
        holders.map(async (holder) => {
          for (let round = 0; round < rounds; round++) await increment(holder);
        }),
      );
      expect((await holders[0]?.read())?.session?.startedAtMs).toBe(holders.length * rounds);
    });

    it('emptied from outside, it says so and can be written again', async () => {
      const [here, there] = [await store.open(), await store.open()];
      await here.replace(0, next(storedSession()));
      await store.empty();
      expect(await there.read()).toBeNull();
      expect(await there.replace(0, next(storedSession()))).toMatchObject({ replaced: true });
      expect((await here.read())?.session).toEqual(storedSession());
    });
  });
}
