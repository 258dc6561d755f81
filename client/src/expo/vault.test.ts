import { beforeEach, describe, expect, it } from 'vitest';
import type { Platform, Vault } from '../core/ports.ts';
import { deviceSecretContract } from '../testing/device-secret-contract.ts';
import type { KeychainItem } from '../testing/fake-keychain.ts';
import { createFakePhone, type FakePhone } from '../testing/fake-phone.ts';
import { outboxContract } from '../testing/outbox-contract.ts';
import { storedSession } from '../testing/stored-session.ts';
import { sharedVaultContract, vaultContract } from '../testing/vault-contract.ts';
import { settle } from '../testing/world.ts';
import type { Protection } from './keychain.ts';
import { createExpoPlatform, type ExpoOptions, type ExpoPlatform } from './platform.ts';

let warnings: string[] = [];
beforeEach(() => {
  warnings = [];
});

/** Starts the app on a phone. */
const start = (phone: FakePhone, options: ExpoOptions = {}): ExpoPlatform =>
  createExpoPlatform(phone.modules, { onWarning: (message) => void warnings.push(message), ...options });

const signedIn = (change: Parameters<typeof storedSession>[0] = {}): Parameters<Vault['replace']>[1] => ({
  session: storedSession(change),
  endedReason: null,
});
const signedOut: Parameters<Vault['replace']>[1] = { session: null, endedReason: 'user' };

/** A phone on which somebody has signed in, and its app started anew. */
async function signedInPhone(options: ExpoOptions = {}): Promise<{ phone: FakePhone; app: ExpoPlatform }> {
  const phone = createFakePhone();
  await start(phone, options).vault.replace(0, signedIn());
  return { phone, app: start(phone, options) };
}

const unavailable = { code: 'storage-unavailable', isRetryable: true };

/** Values in the keychain that hold a refresh token, with their classes. */
const tokensOn = ({ items }: FakePhone) => Array.from(items).filter(([name]) => /\.token\.\d+$/u.test(name));

/** A copy of the item that says that there is a session. */
function headOn({ items }: FakePhone): readonly [string, KeychainItem] {
  const [name, item] = Array.from(items).find(([each]) => each.endsWith('.session')) ?? [];
  if (name === undefined || item === undefined) throw new Error('there is no session on this phone');
  return [name, { ...item }];
}

const protections: readonly Protection[] = ['when-unlocked', 'biometric', 'after-first-unlock'];

describe.each(protections)('protection %s', (protection) => {
  vaultContract('the keychain vault', () =>
    Promise.resolve({ vault: start(createFakePhone(), { protection }).vault, close: () => Promise.resolve() }),
  );

  sharedVaultContract('the keychain vault of an app and its extensions', () => {
    const phone = createFakePhone();
    return Promise.resolve({
      open: () => Promise.resolve(start(phone, { protection, accessGroup: 'group' }).vault),
      empty: () => Promise.resolve(phone.items.clear()),
      close: () => Promise.resolve(),
    });
  });

  deviceSecretContract('the keychain', () => {
    const phone = createFakePhone();
    return Promise.resolve({
      open: () => Promise.resolve(start(phone, { protection }).deviceSecret),
      close: () => Promise.resolve(),
    });
  });

  outboxContract('the keychain outbox', () => {
    const phone = createFakePhone();
    return Promise.resolve({ open: () => start(phone, { protection }).outbox, close: () => Promise.resolve() });
  });
});

describe('a device that is locked', () => {
  it.each(['locked', 'before-first-unlock', 'prewarmed'] as const)(
    '%s: the session cannot be had, which is no sign-out, and is there when the device is unlocked',
    async (lock) => {
      const { phone, app } = await signedInPhone();
      phone.setAppState('background');
      phone.lock = lock;
      await expect(app.vault.read()).rejects.toMatchObject(unavailable);
      await expect(app.vault.replace(null, signedIn())).rejects.toMatchObject(unavailable);
      phone.lock = 'unlocked';
      phone.setAppState('active');
      expect((await app.vault.read())?.session).toEqual(storedSession());
      expect(warnings).toEqual([]);
    },
  );

  it('"not found" in the background is not believed where somebody was signed in, though the keychain can be used', async () => {
    const { phone, app } = await signedInPhone();
    const items = new Map(phone.items);
    phone.items.clear();
    phone.setAppState('background');
    await expect(app.vault.read()).rejects.toMatchObject(unavailable);
    for (const [name, item] of items) phone.items.set(name, item);
    expect((await app.vault.read())?.session).toEqual(storedSession());
  });

  it('a sign-out on it holds, and the refresh token goes when it can', async () => {
    const { phone, app } = await signedInPhone();
    phone.lock = 'locked';
    expect((await app.vault.replace(null, signedOut)).replaced).toBe(true);
    phone.lock = 'unlocked';
    expect(await start(phone).vault.read()).toMatchObject({ session: null, endedReason: 'user' });
    await settle();
    expect(tokensOn(phone)).toEqual([]);
  });

  it('on which nobody ever signed in says so, also to a task in the background', async () => {
    const phone = createFakePhone();
    phone.setAppState('background');
    expect(await start(phone).vault.read()).toBeNull();
  });

  it('with after-first-unlock a session is read and written while it is locked, not before the first unlock', async () => {
    const { phone, app } = await signedInPhone({ protection: 'after-first-unlock' });
    phone.setAppState('background');
    phone.lock = 'locked';
    const before = await app.vault.read();
    const after = await app.vault.replace(before?.stamp ?? 0, signedIn({ refreshToken: 'next' }));
    expect(after).toMatchObject({ replaced: true, record: { session: { refreshToken: 'next' } } });
    phone.lock = 'before-first-unlock';
    await expect(app.vault.read()).rejects.toMatchObject(unavailable);
  });
});

describe('a keychain that cannot be written', () => {
  it('is not read for a refresh: what the server would rotate could not be kept', async () => {
    const { phone, app } = await signedInPhone();
    phone.storage = 'full';
    await expect(app.vault.read()).rejects.toMatchObject(unavailable);
    expect(warnings).toEqual([expect.stringContaining('I/O error')]);
  });

  it('tells the developer once when an entitlement is missing, and names no token', async () => {
    const { phone, app } = await signedInPhone();
    phone.storage = 'no-entitlement';
    const forGood = {
      code: 'storage-unavailable',
      isRetryable: false,
      message: expect.stringContaining('entitlement'),
    };
    await expect(app.vault.read()).rejects.toMatchObject(forGood);
    await expect(app.vault.read()).rejects.toMatchObject(forGood);
    expect(warnings).toEqual([expect.stringContaining('entitlement')]);
    expect(warnings.join('')).not.toContain('refresh-');
  });

  it('cut off between the token and its head, the session before is whole', async () => {
    const { phone, app } = await signedInPhone();
    const [name, head] = headOn(phone);
    await app.vault.replace(null, signedIn({ refreshToken: 'next' }));
    phone.items.set(name, head);
    expect((await start(phone).vault.read())?.session).toEqual(storedSession());
  });
});

describe('what lies in the keychain', () => {
  it.each([
    ['when-unlocked', 6, null],
    ['after-first-unlock', 1, null],
    ['biometric', 6, 1],
  ] as const)('%s: the refresh token alone is in the class asked for', async (protection, accessible, enrolment) => {
    const { phone } = await signedInPhone({ protection });
    expect(tokensOn(phone).map(([, item]) => item)).toEqual([
      { value: storedSession().refreshToken, accessible, enrolment },
    ]);
    const others = Array.from(phone.items).filter(([name]) => !name.includes('.token.'));
    expect(others.map(([, { value }]) => value).join('')).not.toContain('refresh-');
  });

  it('another protection in an update of the app holds from the next write on', async () => {
    const { phone } = await signedInPhone({ protection: 'after-first-unlock' });
    const { vault } = start(phone, { protection: 'when-unlocked' });
    const before = await vault.read();
    await vault.replace(before?.stamp ?? 0, signedIn());
    const { token } = JSON.parse(headOn(phone)[1].value) as { readonly token?: string };
    expect(tokensOn(phone).find(([name]) => name.endsWith(`${token}`))?.[1].accessible).toBe(6);
  });

  it('no more than two refresh tokens lie there, however often they change, and none after a sign-out', async () => {
    const { phone, app } = await signedInPhone();
    for (let turn = 0; turn < 5; turn++) await app.vault.replace(null, signedIn({ refreshToken: `turn ${turn}` }));
    await settle();
    expect(tokensOn(phone).map(([, { value }]) => value)).toEqual(['turn 3', 'turn 4']);
    await app.vault.replace(null, signedOut);
    await settle();
    expect(tokensOn(phone)).toEqual([]);
  });

  it('an access token that is too large for it lives as long as the app', async () => {
    const access = { value: 'a'.repeat(3_000), tokenType: 'Bearer', expiresAtMs: 2, lifetimeMs: 1 } as const;
    const phone = createFakePhone();
    const { vault } = start(phone);
    await vault.replace(0, signedIn({ access }));
    expect((await vault.read())?.session?.access).toEqual(access);
    expect(Math.max(...[...phone.items.values()].map(({ value }) => value.length))).toBeLessThan(2_048);
    expect((await start(phone).vault.read())?.session).toEqual(storedSession({ access: null }));
  });

  it('from a newer version of the app is left alone; damaged, it is said to be lost, and can be written over', async () => {
    const { phone, app } = await signedInPhone();
    const [name, head] = headOn(phone);
    phone.items.set(name, { ...head, value: head.value.replace('"format":1', '"format":2') });
    await expect(app.vault.read()).rejects.toMatchObject({ ...unavailable, isRetryable: false });
    phone.items.set(name, { ...head, value: 'not a session' });
    const lost = await app.vault.read();
    expect(lost).toMatchObject({ session: null, endedReason: 'storage-lost' });
    expect((await app.vault.replace(lost?.stamp ?? 0, signedIn())).replaced).toBe(true);
    expect((await start(phone).vault.read())?.session).toEqual(storedSession());
  });

  it('two accounts by name keep apart: one has no session until it signs in, and a sign-out ends it alone', async () => {
    const phone = createFakePhone();
    const [ada, grace] = [start(phone, { name: 'account-1' }), start(phone, { name: 'account-2' })];
    await ada.vault.replace(0, signedIn({ refreshToken: 'of ada' }));
    expect(await grace.vault.read()).toBeNull();
    const { record } = await grace.vault.replace(0, signedIn({ refreshToken: 'of grace' }));
    await grace.vault.replace(record?.stamp ?? 0, signedOut);
    expect((await start(phone, { name: 'account-1' }).vault.read())?.session?.refreshToken).toBe('of ada');
    expect(await ada.deviceSecret('a'.repeat(43))).not.toBe(await grace.deviceSecret('b'.repeat(43)));
  });

  it('two apps at two servers keep apart, whatever is in their names', async () => {
    const platform = start(createFakePhone());
    const appOf = (name: string): Platform => platform.forApp?.(name) ?? platform;
    await appOf('https://a.example app').vault.replace(0, signedIn());
    expect(await appOf('https://a.example/app').vault.read()).toBeNull();
    expect((await appOf('https://a.example app').vault.read())?.session).toEqual(storedSession());
  });
});

describe('an app and its extension that share an access group', () => {
  it('both wrote at the same moment: whichever head is last names a refresh token that is there', async () => {
    const phone = createFakePhone();
    const options = { accessGroup: 'group' };
    const app = start(phone, options);
    await app.vault.replace(0, signedIn({ refreshToken: 'one' }));
    const [name, head] = headOn(phone);
    await app.vault.replace(null, signedIn({ refreshToken: 'two' }));
    // The extension had read before the app wrote, and writes after it: the answer it got brought no new refresh token.
    phone.items.set(name, head);
    await app.vault.read();
    expect((await start(phone, options).vault.read())?.session?.refreshToken).toBe('one');
  });
});

describe('the keychain outlives the app', () => {
  it('installed anew, nobody is signed in, and the session of before is ended at the server', async () => {
    const { phone } = await signedInPhone();
    phone.files.clear();
    const app = start(phone);
    expect(await app.vault.read()).toBeNull();
    expect(tokensOn(phone)).toEqual([]);
    const { sid, refreshToken } = storedSession();
    expect(await app.outbox.list()).toEqual([{ sid, refreshToken }]);
    await app.vault.replace(0, signedIn({ refreshToken: 'new' }));
    expect((await start(phone).vault.read())?.session?.refreshToken).toBe('new');
  });

  it('an app that has not been opened since does not judge', async () => {
    const { phone, app } = await signedInPhone();
    phone.files.clear();
    phone.setAppState('background');
    await expect(app.vault.read()).rejects.toMatchObject(unavailable);
    expect(tokensOn(phone)).toHaveLength(1);
  });

  it.each([{ keepsAfterReinstall: true }, { accessGroup: 'group' }])('%j: the session goes on', async (options) => {
    const { phone } = await signedInPhone(options);
    phone.files.clear();
    expect((await start(phone, options).vault.read())?.session).toEqual(storedSession());
  });

  it('on a new phone that was set up from a backup nobody is signed in, and one can sign in', async () => {
    const { phone } = await signedInPhone();
    phone.items.clear();
    const app = start(phone);
    expect(await app.vault.read()).toBeNull();
    expect((await app.vault.replace(0, signedIn())).replaced).toBe(true);
  });
});
