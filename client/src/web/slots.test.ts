// Browsers without IndexedDB, or with a database that does not open. The page continues in memory and reports a lost
// session.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { VaultRecord } from '../core/ports.ts';
import { storedSession } from '../testing/stored-session.ts';
import { sealedStore } from './sealed-store.ts';
import type { openSlots, Slots } from './slots.ts';
import { sealedOutbox, sealedVault } from './vault.ts';

const signedOut = { session: null, endedReason: 'user' } as const;
const signedIn = { session: storedSession(), endedReason: null };
const vaultOf = (slots: Slots) => sealedVault(sealedStore(slots));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Loads the module anew, as a new page does. */
async function loadPage(): Promise<typeof openSlots> {
  vi.resetModules();
  return (await import('./slots.ts')).openSlots;
}

/** Simulates a browser whose `indexedDB.open` is `open`. */
const stubOpen = (open: (name: string) => unknown): void => void vi.stubGlobal('indexedDB', { open });

describe('a browser that refuses a database', () => {
  it('is asked once, and no timer stays behind that could reject later', async () => {
    const open = vi.fn<() => unknown>(() => {
      throw new DOMException('blocked', 'SecurityError');
    });
    stubOpen(open);
    const slots = (await loadPage())('app');
    expect(await Promise.all([slots.get('one'), slots.get('two')])).toEqual([undefined, undefined]);
    expect(vi.getTimerCount()).toBe(0);
    await slots.update('one', () => 'kept');
    expect(await slots.get('one')).toBe('kept');
    expect(open).toHaveBeenCalledOnce();
  });
});

describe('a sign-out without a database', () => {
  /** Simulates web storage, which some browsers offer without IndexedDB. */
  function stubStorage(): Map<string, string> {
    const kept = new Map<string, string>();
    vi.stubGlobal('localStorage', {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => void kept.set(name, value),
      removeItem: (name: string) => void kept.delete(name),
    });
    return kept;
  }
  const outboxOf = (slots: Slots) => sealedOutbox(sealedStore(slots));

  it('outlives the page with its pending revocation, so that a cookie signs no user in again', async () => {
    stubStorage();
    const page = (await loadPage())('app');
    const { record } = await vaultOf(page).compareAndSwap(0, signedIn);
    await outboxOf(page).add({ sid: 'session-1', refreshToken: null });
    await vaultOf(page).compareAndSwap(record?.version ?? 0, signedOut);
    const next = (await loadPage())('app');
    const found = await vaultOf(next).read();
    expect(found).toMatchObject(signedOut);
    expect(await outboxOf(next).list()).toEqual([{ sid: 'session-1', refreshToken: null }]);
    // The next sign-in removes it.
    expect((await vaultOf(next).compareAndSwap(found?.version ?? 0, signedIn)).isSwapped).toBe(true);
    expect(await vaultOf((await loadPage())('app')).read()).toBeNull();
  });

  it('is seen by another page, whose late token response does not sign the user in again', async () => {
    stubStorage();
    const [here, there] = [vaultOf((await loadPage())('app')), vaultOf((await loadPage())('app'))];
    const { record } = await here.compareAndSwap(0, signedIn);
    vi.advanceTimersByTime(1);
    await there.compareAndSwap(0, signedOut);
    expect(await here.read()).toMatchObject(signedOut);
    expect(await here.compareAndSwap(record?.version ?? 0, signedIn)).toMatchObject({
      isSwapped: false,
      record: signedOut,
    });
  });

  it('stores no token in web storage, and shows nothing to another app', async () => {
    const kept = stubStorage();
    const page = (await loadPage())('app');
    await vaultOf(page).compareAndSwap(null, signedIn);
    await outboxOf(page).add({ sid: 'session-1', refreshToken: 'a-token' });
    expect(kept.size).toBe(0);
    await vaultOf(page).compareAndSwap(null, signedOut);
    expect(kept.size).toBe(1);
    expect(await vaultOf((await loadPage())('another')).read()).toBeNull();
  });

  it('a session lasts as long as the page, also for a service that is created again', async () => {
    stubStorage();
    const openAgain = await loadPage();
    await vaultOf(openAgain('app')).compareAndSwap(0, signedIn);
    expect(await vaultOf(openAgain('app')).read()).toMatchObject(signedIn);
    expect(await vaultOf((await loadPage())('app')).read()).toBeNull();
  });

  it('lasts as long as the page without web storage', async () => {
    vi.stubGlobal('localStorage', undefined);
    const page = (await loadPage())('app');
    await vaultOf(page).compareAndSwap(0, signedOut);
    expect(await vaultOf(page).read()).toMatchObject(signedOut);
  });
});

describe('a sign-out in web storage, and a later page with a database', () => {
  /** Simulates web storage and a database that holds `records`. It commits when a test says so. */
  function stubBrowser() {
    const kept = new Map<string, string>();
    const records = new Map<string, unknown>();
    const waiting: (() => void)[] = [];
    vi.stubGlobal('localStorage', {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => void kept.set(name, value),
      removeItem: (name: string) => void kept.delete(name),
    });
    const succeed = (result: unknown) => {
      const request = Object.assign(new EventTarget(), { result });
      queueMicrotask(() => request.dispatchEvent(new Event('success')));
      return request;
    };
    const transaction = () => {
      const written = new Map<string, unknown>();
      const it = Object.assign(new EventTarget(), {
        error: new DOMException('aborted', 'AbortError'),
        objectStore: () => ({
          get: (slot: string) => succeed(records.get(slot)),
          put: (value: unknown, slot: string) => {
            written.set(slot, value);
            waiting.push(() => {
              for (const [name, each] of written) records.set(name, each);
              it.dispatchEvent(new Event('complete'));
            });
            return succeed(slot);
          },
        }),
      });
      return it;
    };
    const withDatabase = (): void => stubOpen(() => succeed(Object.assign(new EventTarget(), { transaction })));
    const withoutDatabase = (): void => void vi.stubGlobal('indexedDB', undefined);
    return { kept, withDatabase, withoutDatabase, commit: () => waiting.splice(0).forEach((each) => each()) };
  }

  async function signOutWithoutDatabase(stub: ReturnType<typeof stubBrowser>): Promise<Slots> {
    stub.withoutDatabase();
    await (await loadPage())('app').update('record', () => ({ version: 7, text: '"signed out"' }));
    stub.withDatabase();
    return (await loadPage())('app');
  }

  it('stays until its successor is on disk, so that a crash in between does not sign the user in again', async () => {
    const stub = stubBrowser();
    const page = await signOutWithoutDatabase(stub);
    const written = page.update('record', () => ({ version: 8, data: 'a new session' }));
    await vi.advanceTimersByTimeAsync(0);
    // The page crashes here, and the next one reads the sign-out.
    expect(await (await loadPage())('app').get('record')).toMatchObject({ version: 7 });
    stub.commit();
    await written;
    expect(stub.kept.size).toBe(0);
    expect(await page.get('record')).toMatchObject({ version: 8 });
  });

  it('is kept if another tab wrote it during the commit', async () => {
    const stub = stubBrowser();
    const page = await signOutWithoutDatabase(stub);
    const written = page.update('record', () => ({ version: 8, data: 'a new session' }));
    await vi.advanceTimersByTimeAsync(0);
    stub.withoutDatabase();
    await (await loadPage())('app').update('record', () => ({ version: 9, text: '"signed out again"' }));
    stub.commit();
    await written;
    expect(await page.get('record')).toMatchObject({ version: 9 });
  });

  it('is kept by a write that changes nothing', async () => {
    const stub = stubBrowser();
    const page = await signOutWithoutDatabase(stub);
    const written = page.update('record', (stored) => stored);
    await vi.advanceTimersByTimeAsync(0);
    stub.commit();
    void written;
    expect(await page.get('record')).toMatchObject({ version: 7 });
  });
});

describe('a database that does not open', () => {
  const lost = { session: null, endedReason: 'storage-lost' };
  const damaged = (): never => {
    throw new DOMException('Internal error opening backing store', 'UnknownError');
  };
  const outcomeOf = async (work: Promise<unknown>): Promise<unknown> => {
    const outcome = work.catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(4_000);
    return outcome;
  };

  it.each([
    { name: 'fails', open: damaged, message: 'Internal error opening backing store' },
    { name: 'never answers', open: () => new EventTarget(), message: 'timeout: 4000 ms' },
  ])('and $name four times: the page continues without it and reports `storage-lost`', async (each) => {
    stubOpen(each.open);
    const page = (await loadPage())('app');
    for (let time = 1; time < 4; time++) expect(await outcomeOf(vaultOf(page).read())).toBe(each.message);
    const found = await outcomeOf(vaultOf(page).read());
    expect(found).toMatchObject(lost);
    const { version } = found as { readonly version: number };
    expect((await vaultOf(page).compareAndSwap(version, signedIn)).isSwapped).toBe(true);
    expect(await vaultOf(page).read()).toMatchObject(signedIn);
  });

  it('makes the page give up its other databases at once, so that a sign-in with a DPoP key does not fail three times', async () => {
    stubOpen(damaged);
    const open = await loadPage();
    for (let time = 1; time <= 4; time++) await outcomeOf(open('app').get('record'));
    expect(await open('keys').update('proof-key', () => 'a key')).toBe('a key');
  });

  /** Simulates an empty database that fails with `control.why`. */
  function stubDatabase() {
    const control = { why: null as DOMException | null, only: '', openings: 0 };
    const succeed = (result: unknown) => {
      const request = Object.assign(new EventTarget(), { result });
      setTimeout(() => request.dispatchEvent(new Event('success')));
      return request;
    };
    const fail = (error: DOMException) => {
      const request = Object.assign(new EventTarget(), { error });
      setTimeout(() => request.dispatchEvent(new Event('error')));
      return request;
    };
    stubOpen((name) => {
      control.openings++;
      const get = (): unknown => (control.why && name.includes(control.only) ? fail(control.why) : succeed(undefined));
      return succeed(Object.assign(new EventTarget(), { transaction: () => ({ objectStore: () => ({ get }) }) }));
    });
    return control;
  }
  const lostServer = new DOMException('Connection to Indexed Database server lost', 'UnknownError');

  it('is retried longer if the page has used it: a passing failure does not cost the user a sign-in', async () => {
    const database = stubDatabase();
    const page = (await loadPage())('app');
    expect(await outcomeOf(vaultOf(page).read())).toBeNull();
    for (let round = 1; round <= 3; round++) {
      database.why = lostServer;
      for (let time = 1; time < 10; time++)
        expect(await outcomeOf(vaultOf(page).read())).toBe('Connection to Indexed Database server lost');
      database.why = null;
      expect(await outcomeOf(vaultOf(page).read())).toBeNull();
    }
  });

  it('is opened again after a failure, because a connection may only return errors', async () => {
    const database = stubDatabase();
    const page = (await loadPage())('app');
    await outcomeOf(page.get('record'));
    database.why = lostServer;
    await outcomeOf(page.get('record'));
    await outcomeOf(page.get('record'));
    expect(database.openings).toBe(2);
  });

  it('reports its session as `storage-lost` after ten failures in a row', async () => {
    const database = stubDatabase();
    const page = (await loadPage())('app');
    await outcomeOf(page.get('record'));
    database.why = lostServer;
    for (let time = 1; time < 10; time++) await outcomeOf(page.get('record'));
    const found = await outcomeOf(vaultOf(page).read());
    expect(found).toMatchObject(lost);
    database.why = null;
    expect((await vaultOf(page).compareAndSwap((found as VaultRecord).version, signedIn)).isSwapped).toBe(true);
    expect(await vaultOf(page).read()).toMatchObject(signedIn);
  });

  it('reports its session as `storage-lost` although another database of the page still works', async () => {
    const database = stubDatabase();
    const open = await loadPage();
    const [page, keys] = [open('app'), open('keys')];
    await outcomeOf(page.get('record'));
    database.why = lostServer;
    database.only = 'app';
    for (let time = 1; time < 10; time++) {
      await outcomeOf(page.get('record'));
      expect(await outcomeOf(keys.get('proof-key'))).toBeUndefined();
    }
    expect(await outcomeOf(vaultOf(page).read())).toMatchObject(lost);
  });

  it('is never given up because it is full', async () => {
    const database = stubDatabase();
    const page = (await loadPage())('app');
    await outcomeOf(page.get('record'));
    database.why = new DOMException('full', 'QuotaExceededError');
    for (let time = 1; time <= 30; time++) expect(await outcomeOf(page.get('record'))).toBe('full');
  });
});
