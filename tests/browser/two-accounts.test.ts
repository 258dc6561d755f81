// Two accounts in one browser, each in a store by a name of its own: in two tabs, or in one page that shows both. What happens to one
// of them does not touch the other.
import type { SessionSnapshot } from 'holdfast';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { StageMode } from './stage-page.ts';
import { user as ada } from './stage.ts';
import { inContext, pageUrl, passDeviceTime } from './tabs.ts';
import { context, emptyStorage, stage, useStage } from './use-stage.ts';

/** Longer than an access token lives. */
const EXPIRY_MS = 16 * 60_000;
const grace = { username: 'grace@example.org', password: 'a battery of correct horses', name: 'Grace' } as const;
const modes: readonly StageMode[] = ['cookie', 'bearer', 'bound'];

useStage();
beforeAll(async () => {
  await stage.holdfast.users.create(grace);
});

/** An account as one page sees it. */
type Account = { readonly name: string; readonly tab: Page };

const ready = ({ tab, name }: Account): Promise<SessionSnapshot> =>
  tab.evaluate((name) => scene.account(name).ready(), name);
const signIn = ({ tab, name }: Account, { username, password }: typeof ada | typeof grace): Promise<void> =>
  tab.evaluate(([name, credential]) => scene.account(name).signIn(credential), [name, { username, password }] as const);
const signOut = ({ tab, name }: Account): Promise<void> => tab.evaluate((name) => scene.account(name).signOut(), name);

/** Whom the API takes the account for: the subject, or the code of the error. */
const whoIs = ({ tab, name }: Account): Promise<string> =>
  tab.evaluate(async (name) => {
    try {
      const response = await scene.account(name).fetch('/notes');
      return ((await response.json()) as { readonly sub: string }).sub;
    } catch (error) {
      return (error as { readonly code?: string }).code ?? String(error);
    }
  }, name);

/** Both accounts, in two tabs or in one. */
async function open(where: string, mode: StageMode): Promise<readonly [Account, Account]> {
  const first = await inContext(context)(pageUrl(stage, { mode }));
  const second = where === 'two tabs' ? await inContext(context)(pageUrl(stage, { mode })) : first;
  return [
    { name: 'account-1', tab: first },
    { name: 'account-2', tab: second },
  ];
}

const tabsOf = (accounts: readonly Account[]): readonly Page[] => [...new Set(accounts.map(({ tab }) => tab))];

async function expire(accounts: readonly Account[]): Promise<void> {
  await stage.passTime(EXPIRY_MS);
  await passDeviceTime(tabsOf(accounts), EXPIRY_MS);
}

async function reload(accounts: readonly Account[]): Promise<void> {
  for (const tab of tabsOf(accounts)) await tab.reload();
}

const whoAre = (accounts: readonly Account[]): Promise<readonly string[]> => Promise.all(accounts.map(whoIs));
const nobody = { status: 'signed-out', reason: 'never-signed-in' };

describe.each(modes)('two accounts, %s', (mode) => {
  describe.each(['two tabs', 'one page'])('in %s', (where) => {
    it('the second has no session until it signs in, and both keep their own user', async () => {
      const accounts = await open(where, mode);
      const [first, second] = accounts;
      await signIn(first, ada);
      expect(await ready(second)).toEqual(nobody);
      const adasId = await whoIs(first);
      await signIn(second, grace);
      const gracesId = await whoIs(second);
      expect(gracesId).not.toBe(adasId);
      for (let expiry = 1; expiry <= 2; expiry++) {
        await expire(accounts);
        expect(await whoAre(accounts)).toEqual([adasId, gracesId]);
      }
      await reload(accounts);
      expect(await Promise.all(accounts.map(ready))).toMatchObject([{ status: 'active' }, { status: 'active' }]);
      expect(await whoAre(accounts)).toEqual([adasId, gracesId]);
      await expire(accounts);
      expect(await whoAre(accounts)).toEqual([adasId, gracesId]);
    });

    it.each([0, 1])('a sign-out of one (number %i) ends that one alone, also after a reload', async (left) => {
      const accounts = await open(where, mode);
      const [leaving, staying] = left === 0 ? accounts : [accounts[1], accounts[0]];
      await signIn(accounts[0], ada);
      await signIn(accounts[1], grace);
      const id = await whoIs(staying);
      await expire(accounts);
      await whoAre(accounts);
      await signOut(leaving);
      expect(await whoIs(staying)).toBe(id);
      await expire(accounts);
      expect(await whoAre([leaving, staying])).toEqual(['signed-out', id]);
      await reload(accounts);
      expect(await ready(leaving)).toEqual({ status: 'signed-out', reason: 'user' });
      expect(await whoIs(staying)).toBe(id);
      await expire(accounts);
      expect(await whoIs(staying)).toBe(id);
    });

    it('the same user twice: a sign-out of one ends that session alone', async () => {
      const accounts = await open(where, mode);
      const [first, second] = accounts;
      await signIn(first, ada);
      await signIn(second, ada);
      await expire(accounts);
      await whoAre(accounts);
      await signOut(second);
      await expire(accounts);
      expect(await whoIs(second)).toBe('signed-out');
      expect(await whoIs(first)).toMatch(/^[\da-f-]{36}$/u);
    });
  });

  it('a third user signs in where the second left: the first stays', async () => {
    const accounts = await open('one page', mode);
    const [first, second] = accounts;
    await signIn(first, ada);
    await signIn(second, ada);
    await signIn(second, grace);
    await expire(accounts);
    const [adasId, gracesId] = await whoAre(accounts);
    expect(gracesId).not.toBe(adasId);
    await reload(accounts);
    expect(await whoAre(accounts)).toEqual([adasId, gracesId]);
  });
});

it('storage is emptied: each account finds its own session by its cookie', async () => {
  const accounts = await open('two tabs', 'cookie');
  await signIn(accounts[0], ada);
  await signIn(accounts[1], grace);
  const ids = await whoAre(accounts);
  await emptyStorage(accounts[0].tab);
  await reload(accounts);
  expect(await whoAre(accounts)).toEqual(ids);
  // A store that was never used asks for no session.
  const third = { name: 'account-3', tab: accounts[0].tab };
  expect(await ready(third)).toEqual(nobody);
});

it('a browser whose database does not open: the second account is not signed in as the first', async () => {
  const accounts = await open('two tabs', 'cookie');
  const [first, second] = accounts;
  await signIn(first, ada);
  const adasId = await whoIs(first);
  await context.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      const request = Object.assign(new EventTarget(), { error: new DOMException('damaged', 'UnknownError') });
      setTimeout(() => request.dispatchEvent(new Event('error')));
      return request as unknown as IDBOpenDBRequest;
    };
  });
  await reload(accounts);
  expect(await ready(second)).toMatchObject({ status: 'signed-out' });
  expect(await whoIs(second)).toBe('signed-out');
  expect(await whoIs(first)).toBe(adasId);
  await signIn(second, grace);
  expect(await whoIs(first)).toBe(adasId);
  expect(await whoIs(second)).not.toBe(adasId);
});
