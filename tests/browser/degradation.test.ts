// Browsers that lack something: a private window without a database, storage that was emptied or is full, no locks, no channel.
// A missing feature costs a refresh more or a session as long as the page, and never a silent sign-out.
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { answerInstead } from './faults.ts';
import type { StageMode } from './stage-page.ts';
import { inContext, openSignedInTabs, pageUrl, passDeviceTime, signIn, untilActive, writeFromAll } from './tabs.ts';
import { context, emptyStorage, stage, useStage } from './use-stage.ts';

/** Longer than an access token lives. */
const EXPIRY_MS = 16 * 60_000;
const modes: readonly StageMode[] = ['cookie', 'bearer', 'bound'];

useStage();

async function expire(tabs: readonly Page[]): Promise<void> {
  await stage.passTime(EXPIRY_MS);
  await passDeviceTime(tabs, EXPIRY_MS);
}

/** All tabs write after an expiry, and all of it arrives, each note once. */
async function expectToGoOn(tabs: readonly Page[], name: string): Promise<void> {
  await expire(tabs);
  expect(await writeFromAll(tabs, name)).toEqual(tabs.map(() => 201));
  expect(stage.notes.filter((note) => note.startsWith(name)).toSorted()).toEqual(tabs.map((_, at) => `${name} ${at}`));
  expect(stage.events.filter(({ type }) => type === 'session.revoked' || type === 'refresh.refused')).toEqual([]);
}

/** The ways in which a browser without a database refuses one. */
const withoutDatabase: readonly { readonly name: string; readonly remove: () => void }[] = [
  {
    name: 'that says so at once (SecurityError)',
    remove: () => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('blocked', 'SecurityError');
      };
    },
  },
  {
    name: 'that says so later (InvalidStateError)',
    remove: () => {
      const open = Reflect.get(IDBFactory.prototype, 'open') as (...names: unknown[]) => IDBOpenDBRequest;
      IDBFactory.prototype.open = function refuse(this: IDBFactory, name) {
        const request = open.call(this, `${name}-${Math.random()}`);
        request.addEventListener('upgradeneeded', (event) => {
          event.stopImmediatePropagation();
          request.transaction?.abort();
        });
        Object.defineProperty(request, 'error', { value: new DOMException('private', 'InvalidStateError') });
        return request;
      };
    },
  },
  {
    name: 'that has no such thing',
    remove: () => {
      Object.defineProperty(globalThis, 'indexedDB', { value: undefined });
    },
  },
];

describe.each(modes)('without a database, %s', (mode) => {
  it.each(withoutDatabase)('in a browser $name, a session lasts as long as the page', async ({ remove }) => {
    await context.addInitScript(remove);
    const [tab] = await openSignedInTabs(inContext(context), stage, 1, { mode });
    await expectToGoOn([tab], 'first');
    await expectToGoOn([tab], 'second');
    await tab.reload();
    // A cookie outlives the page; a token that was nowhere else does not.
    const snapshot = await tab.evaluate(() => scene.auth.ready());
    expect(snapshot).toMatchObject(
      mode === 'cookie' ? { status: 'active' } : { status: 'signed-out', reason: 'never-signed-in' },
    );
  });

  it('no two tabs share what they hold: with a cookie both are signed in, and both go on', async () => {
    await context.addInitScript(() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }));
    const [first] = await openSignedInTabs(inContext(context), stage, 1, { mode });
    const second = await inContext(context)(pageUrl(stage, { mode }));
    const { status } = await second.evaluate(() => scene.auth.ready());
    expect(status).toBe(mode === 'cookie' ? 'active' : 'signed-out');
    if (status === 'signed-out') await signIn(second);
    for (const name of ['first', 'second', 'third']) await expectToGoOn([first, second], name);
  });
});

describe('without a database, a sign-out', () => {
  const revoked = (): number => stage.events.filter(({ type }) => type === 'session.revoked').length;
  const leave = (tab: Page): Promise<void> =>
    tab.evaluate(() => void scene.auth.signOut().then(() => location.reload()));

  it.each(withoutDatabase)('in a browser $name, outlives the page: no cookie signs the user in again', async (each) => {
    await context.addInitScript(each.remove);
    const [tab] = await openSignedInTabs(inContext(context), stage, 1);
    stage.meetAlways('POST /revoke', answerInstead(503, {}, ''));
    await Promise.all([tab.waitForEvent('load'), leave(tab)]);
    expect(await tab.evaluate(() => scene.auth.ready())).toEqual({ status: 'signed-out', reason: 'user' });
    const kept = await tab.evaluate(() => JSON.stringify(localStorage));
    expect(kept).not.toMatch(/access|eyJ/u);
    // The server hears of it as soon as it can.
    stage.meetAlways('POST /revoke', null);
    await tab.reload();
    await expect.poll(revoked).toBe(1);
    await signIn(tab);
    await tab.reload();
    expect(await tab.evaluate(() => scene.auth.ready())).toMatchObject({ status: 'active' });
  });

  // The message can overtake what it tells: web storage reaches another tab's process a moment later.
  it.each(['reaches the other tabs', 'reaches them also if its message comes too early, or never'])(
    '%s',
    async (how) => {
      await context.addInitScript(() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }));
      if (how.includes('never'))
        await context.addInitScript(() => Object.defineProperty(globalThis, 'BroadcastChannel', { value: undefined }));
      const tabs = await openSignedInTabs(inContext(context), stage, 2);
      await tabs[0].evaluate(() => scene.auth.signOut());
      const snapshots = await Promise.all(tabs.map((tab) => tab.evaluate(() => scene.until('signed-out'))));
      expect(snapshots).toMatchObject(tabs.map(() => ({ reason: 'user' })));
    },
  );
});

describe.each(modes)('a page that goes with its user, %s', (mode) => {
  it('has told the server of the sign-out: a copy of the session is worth nothing', async () => {
    const [tab] = await openSignedInTabs(inContext(context), stage, 1, { mode });
    const leave = (): void => void scene.auth.signOut().then(() => location.assign('about:blank'));
    await Promise.all([tab.waitForURL('about:blank'), tab.evaluate(leave)]);
    await expect.poll(() => stage.events.map(({ type }) => type)).toContain('session.revoked');
  });
});

describe.each(modes)('without locks or without a channel, %s', (mode) => {
  const missing: readonly { readonly name: string; readonly remove: () => void }[] = [
    { name: 'Web Locks', remove: () => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }) },
    {
      name: 'Web Locks that may be used (SecurityError)',
      remove: () => {
        LockManager.prototype.request = () => Promise.reject(new DOMException('blocked', 'SecurityError'));
      },
    },
    {
      name: 'BroadcastChannel',
      remove: () => Object.defineProperty(globalThis, 'BroadcastChannel', { value: undefined }),
    },
  ];

  it.each(missing)('no $name: tabs refresh for themselves at worst, and all of them go on', async ({ remove }) => {
    await context.addInitScript(remove);
    const tabs = await openSignedInTabs(inContext(context), stage, 5, { mode });
    stage.reset();
    await expectToGoOn(tabs, 'first');
    await expectToGoOn(tabs, 'second');
    await untilActive(tabs);
    // Each expiry costs one refresh a tab at most, and one exchange more where a proof needs a nonce.
    expect(stage.count('POST /token')).toBeLessThanOrEqual(2 * 5 * (mode === 'bound' ? 2 : 1));
  });
});

describe.each(modes)('a database that does not open any more, %s', (mode) => {
  it.each(['fails', 'hangs'])(
    'and %s: a cookie is enough; without one the user is told, can sign in, and a later launch finds what was there',
    async (how) => {
      const [tab] = await openSignedInTabs(inContext(context), stage, 1, { mode });
      const before = await tab.evaluate(() => scene.auth.getSnapshot());
      await context.addInitScript(breakAtWill);
      await tab.evaluate((how) => localStorage.setItem('broken', how), how);
      await tab.reload();
      expect(await tab.evaluate(() => scene.auth.ready())).toMatchObject(
        mode === 'cookie' ? { status: 'active' } : { status: 'signed-out', reason: 'storage-lost' },
      );
      if (mode !== 'cookie') await signIn(tab);
      await expectToGoOn([tab], 'first');
      await tab.evaluate(() => localStorage.removeItem('broken'));
      await tab.reload();
      expect(await tab.evaluate(() => scene.auth.ready())).toMatchObject({
        status: 'active',
        sid: 'sid' in before ? before.sid : null,
      });
    },
  );
});

describe.each(modes)('a database that the browser loses in mid-session, until the page is loaded anew, %s', (mode) => {
  it('a cookie goes on, expiry after expiry; without one the user is asked, told why, and what was parked goes on', async () => {
    await context.addInitScript(loseAtWill);
    const [tab] = await openSignedInTabs(inContext(context), stage, 1, { mode });
    await loseDatabase(tab);
    await expire([tab]);
    const written = writeFromAll([tab]);
    if (mode !== 'cookie') {
      await expectToBeAsked([tab]);
      await signIn(tab);
    }
    expect(await written).toEqual([201]);
    expect(stage.notes).toEqual(['note 0']);
    await expire([tab]);
    expect(await writeFromAll([tab], 'second')).toEqual([201]);
    // The session before has ended by the first use of the new one.
    stage.reset();
    await expectToGoOn([tab], 'third');
  });
});

it('a database that the browser loses while another tab has it: both go on by the cookie', async () => {
  await context.addInitScript(loseAtWill);
  const tabs = await openSignedInTabs(inContext(context), stage, 2);
  await loseDatabase(tabs[0]);
  for (const name of ['first', 'second', 'third']) await expectToGoOn(tabs, name);
});

describe.each(modes)('storage that lets go, %s', (mode) => {
  it('a connection that the browser has closed without a word is opened again', async () => {
    await context.addInitScript(() => {
      const open = Reflect.get(IDBFactory.prototype, 'open') as (...names: unknown[]) => IDBOpenDBRequest;
      const opened: IDBDatabase[] = [];
      Object.assign(globalThis, { closeAll: () => opened.forEach((database) => database.close()) });
      IDBFactory.prototype.open = function remember(this: IDBFactory, ...names) {
        const request = open.apply(this, names);
        request.addEventListener('success', () => opened.push(request.result));
        return request;
      };
    });
    const tabs = await openSignedInTabs(inContext(context), stage, 2, { mode });
    for (const tab of tabs)
      await tab.evaluate(() => (globalThis as unknown as { readonly closeAll: () => void }).closeAll());
    await expectToGoOn(tabs, 'note');
  });

  it('emptied while it is in use: a cookie goes on; without one the user is asked, and what was parked goes on', async () => {
    const tabs = await openSignedInTabs(inContext(context), stage, 2, { mode });
    await emptyStorage(tabs[0]);
    await expire(tabs);
    const written = writeFromAll(tabs);
    if (mode !== 'cookie') {
      await expectToBeAsked(tabs);
      await signIn(tabs[0]);
    }
    expect(await written).toEqual(tabs.map(() => 201));
    expect(stage.notes.toSorted()).toEqual(tabs.map((_, at) => `note ${at}`));
  });

  it('emptied while no tab was open: a cookie is still there; without one there is nothing left that could know', async () => {
    const [tab] = await openSignedInTabs(inContext(context), stage, 1, { mode });
    await tab.goto(`${stage.url}/healthz`);
    await emptyStorage(tab);
    await tab.goto(pageUrl(stage, { mode }));
    expect(await tab.evaluate(() => scene.auth.ready())).toMatchObject(
      mode === 'cookie' ? { status: 'active' } : { status: 'signed-out', reason: 'never-signed-in' },
    );
  });

  it('that its key opens no more, at launch: a cookie goes on; without one the user is told', async () => {
    const [tab] = await openSignedInTabs(inContext(context), stage, 1, { mode });
    await tab.goto(`${stage.url}/healthz`);
    await tab.evaluate(loseKeys);
    await tab.goto(pageUrl(stage, { mode }));
    expect(await tab.evaluate(() => scene.auth.ready())).toMatchObject(
      mode === 'cookie' ? { status: 'active' } : { status: 'signed-out', reason: 'storage-lost' },
    );
    if (mode !== 'cookie') await signIn(tab);
    await tab.reload();
    expect(await tab.evaluate(() => scene.auth.ready())).toMatchObject({ status: 'active' });
  });

  it('that its key opens no more, in use: a cookie goes on; without one the user is asked, and what was parked goes on', async () => {
    const tabs = await openSignedInTabs(inContext(context), stage, 2, { mode });
    await tabs[0].evaluate(loseKeys);
    await expire(tabs);
    const written = writeFromAll(tabs);
    if (mode !== 'cookie') {
      await expectToBeAsked(tabs);
      await signIn(tabs[0]);
    }
    expect(await written).toEqual(tabs.map(() => 201));
  });

  it('full: what a cookie or a key carries goes on; a token that must be stored waits until it can be', async () => {
    await context.addInitScript(fillAtWill);
    const [tab] = await openSignedInTabs(inContext(context), stage, 1, { mode });
    await setFull(tab, true);
    // The token that was handed out last is used from memory.
    await expectToGoOn([tab], 'first');
    await expire([tab]);
    const written = writeFromAll([tab], 'second');
    if (mode === 'bearer') {
      await expectToWait(tab);
      await setFull(tab, false);
    }
    expect(await written).toEqual([201]);
    await expectToGoOn([tab], 'third');
    expect(stage.notes).toEqual(['first 0', 'second 0', 'third 0']);
  });
});

/** Why there is no session is said, and what was under way waits for an answer. */
async function expectToBeAsked(tabs: readonly Page[]): Promise<void> {
  const snapshots = await Promise.all(tabs.map((tab) => tab.evaluate(() => scene.until('reauthentication-required'))));
  const asked = { reason: 'storage-lost', stage: 'password', parkedRequests: 1 };
  expect(snapshots).toMatchObject(tabs.map(() => asked));
}

/** The session is there, nothing is refreshed that could not be stored, and storage is tried until it answers. */
async function expectToWait(tab: Page): Promise<void> {
  const types = (): string[] => scene.observations.map(({ type }) => type);
  await expect.poll(() => tab.evaluate(types)).toContain('vault.unavailable');
  const snapshot = (): unknown => scene.auth.getSnapshot();
  await expect.poll(() => tab.evaluate(snapshot)).toMatchObject({ status: 'active', parkedRequests: 1 });
}

/** A database that fails as in a profile that is damaged, or never answers, while the page says so. */
function breakAtWill(): void {
  const how = localStorage.getItem('broken');
  if (how === null) return;
  IDBFactory.prototype.open = () => {
    const request = new EventTarget();
    Object.assign(request, { error: new DOMException('Internal error opening backing store', 'UnknownError') });
    if (how === 'fails') setTimeout(() => request.dispatchEvent(new Event('error')));
    return request as IDBOpenDBRequest;
  };
}

/** As WebKit and Chromium at times: connections answer nothing but errors, and this page can open no new one. */
function loseAtWill(): void {
  const open = Reflect.get(IDBFactory.prototype, 'open') as (...names: unknown[]) => IDBOpenDBRequest;
  const transact = Reflect.get(IDBDatabase.prototype, 'transaction') as (...names: unknown[]) => IDBTransaction;
  let isLost = false;
  const lost = (): DOMException => new DOMException('Connection to Indexed Database server lost', 'UnknownError');
  Object.assign(globalThis, { loseDatabase: () => (isLost = true) });
  IDBFactory.prototype.open = function refuse(this: IDBFactory, ...names) {
    if (!isLost) return open.apply(this, names);
    const request = Object.assign(new EventTarget(), { error: lost() });
    setTimeout(() => request.dispatchEvent(new Event('error')));
    return request as unknown as IDBOpenDBRequest;
  };
  IDBDatabase.prototype.transaction = function refuse(this: IDBDatabase, ...names) {
    if (isLost) throw lost();
    return transact.apply(this, names);
  };
}

const loseDatabase = (tab: Page): Promise<void> =>
  tab.evaluate(() => (globalThis as unknown as { readonly loseDatabase: () => void }).loseDatabase());

/** A write fails as it does on a disk that is full, while the page says so. */
function fillAtWill(): void {
  const put = Reflect.get(IDBObjectStore.prototype, 'put') as (...values: unknown[]) => IDBRequest<IDBValidKey>;
  IDBObjectStore.prototype.put = function refuse(this: IDBObjectStore, ...values) {
    if (Reflect.get(globalThis, 'isFull') === true) throw new DOMException('full', 'QuotaExceededError');
    return put.apply(this, values);
  };
}

const setFull = (tab: Page, isFull: boolean): Promise<void> =>
  tab.evaluate((isFull) => void Object.assign(globalThis, { isFull }), isFull);

/** Half a profile, restored from a backup: what is stored is there, and what it was sealed with is not. */
async function loseKeys(): Promise<void> {
  const settled = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.addEventListener('success', () => resolve(request.result));
      request.addEventListener('error', () => reject(new Error('the request failed')));
    });
  for (const { name } of await indexedDB.databases()) {
    const database = await settled(indexedDB.open(name ?? ''));
    await settled(database.transaction('session', 'readwrite').objectStore('session').delete('key'));
    database.close();
  }
}
