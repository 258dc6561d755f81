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

/** Starts the app on `phone`. */
const start = (phone: FakePhone, options: ExpoOptions = {}): ExpoPlatform =>
  createExpoPlatform(phone.modules, { onWarning: (message) => void warnings.push(message), ...options });

const signedIn = (change: Parameters<typeof storedSession>[0] = {}): Parameters<Vault['compareAndSwap']>[1] => ({
  session: storedSession(change),
  endedReason: null,
});
const signedOut: Parameters<Vault['compareAndSwap']>[1] = { session: null, endedReason: 'user' };

/** A phone with a stored session, and its app after a relaunch. */
async function signedInPhone(options: ExpoOptions = {}): Promise<{ phone: FakePhone; app: ExpoPlatform }> {
  const phone = createFakePhone();
  await start(phone, options).vault.compareAndSwap(0, signedIn());
  return { phone, app: start(phone, options) };
}

const unavailable = { code: 'storage-unavailable', isRetryable: true };

/** The keychain items that hold refresh tokens, with their protections. */
const tokensOn = ({ items }: FakePhone) => Array.from(items).filter(([name]) => /\.token\.\d+$/u.test(name));

/** A copy of the head. */
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

describe('a locked device', () => {
  it.each(['locked', 'before-first-unlock', 'prewarmed'] as const)(
    '%s: the session is unavailable, not signed out, and readable after the unlock',
    async (lock) => {
      const { phone, app } = await signedInPhone();
      phone.setAppState('background');
      phone.lock = lock;
      await expect(app.vault.read()).rejects.toMatchObject(unavailable);
      await expect(app.vault.compareAndSwap(null, signedIn())).rejects.toMatchObject(unavailable);
      phone.lock = 'unlocked';
      phone.setAppState('active');
      expect((await app.vault.read())?.session).toEqual(storedSession());
      expect(warnings).toEqual([]);
    },
  );

  it('treats "not found" in the background as unavailable if there was a session, so that the user stays signed in', async () => {
    const { phone, app } = await signedInPhone();
    const items = new Map(phone.items);
    phone.items.clear();
    phone.setAppState('background');
    await expect(app.vault.read()).rejects.toMatchObject(unavailable);
    for (const [name, item] of items) phone.items.set(name, item);
    expect((await app.vault.read())?.session).toEqual(storedSession());
  });

  it('stores a sign-out at once and deletes the refresh token after the unlock', async () => {
    const { phone, app } = await signedInPhone();
    phone.lock = 'locked';
    expect((await app.vault.compareAndSwap(null, signedOut)).isSwapped).toBe(true);
    phone.lock = 'unlocked';
    expect(await start(phone).vault.read()).toMatchObject({ session: null, endedReason: 'user' });
    await settle();
    expect(tokensOn(phone)).toEqual([]);
  });

  it('reports no session in the background if there never was one', async () => {
    const phone = createFakePhone();
    phone.setAppState('background');
    expect(await start(phone).vault.read()).toBeNull();
  });

  it('with after-first-unlock reads and writes the session while locked, but not before the first unlock', async () => {
    const { phone, app } = await signedInPhone({ protection: 'after-first-unlock' });
    phone.setAppState('background');
    phone.lock = 'locked';
    const before = await app.vault.read();
    const after = await app.vault.compareAndSwap(before?.version ?? 0, signedIn({ refreshToken: 'next' }));
    expect(after).toMatchObject({ isSwapped: true, record: { session: { refreshToken: 'next' } } });
    phone.lock = 'before-first-unlock';
    await expect(app.vault.read()).rejects.toMatchObject(unavailable);
  });
});

describe('a keychain that cannot be written', () => {
  it('rejects reads, so that no refresh rotates a token whose successor cannot be stored', async () => {
    const { phone, app } = await signedInPhone();
    phone.storage = 'full';
    await expect(app.vault.read()).rejects.toMatchObject(unavailable);
    expect(warnings).toEqual([expect.stringContaining('I/O error')]);
  });

  it('warns the developer once about a missing entitlement, without a token in the message', async () => {
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

  it('keeps the previous session if the app ends between the writes of token and head', async () => {
    const { phone, app } = await signedInPhone();
    const [name, head] = headOn(phone);
    await app.vault.compareAndSwap(null, signedIn({ refreshToken: 'next' }));
    phone.items.set(name, head);
    expect((await start(phone).vault.read())?.session).toEqual(storedSession());
  });
});

describe('the content of the keychain', () => {
  it.each([
    ['when-unlocked', 6, null],
    ['after-first-unlock', 1, null],
    ['biometric', 6, 1],
  ] as const)('%s: only the refresh token has the requested protection', async (protection, accessible, enrolment) => {
    const { phone } = await signedInPhone({ protection });
    expect(tokensOn(phone).map(([, item]) => item)).toEqual([
      { value: storedSession().refreshToken, accessible, enrolment },
    ]);
    const others = Array.from(phone.items).filter(([name]) => !name.includes('.token.'));
    expect(others.map(([, { value }]) => value).join('')).not.toContain('refresh-');
  });

  it('a protection changed by an app update applies from the next write on', async () => {
    const { phone } = await signedInPhone({ protection: 'after-first-unlock' });
    const { vault } = start(phone, { protection: 'when-unlocked' });
    const before = await vault.read();
    await vault.compareAndSwap(before?.version ?? 0, signedIn());
    const { token } = JSON.parse(headOn(phone)[1].value) as { readonly token?: string };
    expect(tokensOn(phone).find(([name]) => name.endsWith(`${token}`))?.[1].accessible).toBe(6);
  });

  it('at most two refresh tokens are stored after many rotations, and none after a sign-out', async () => {
    const { phone, app } = await signedInPhone();
    for (let turn = 0; turn < 5; turn++)
      await app.vault.compareAndSwap(null, signedIn({ refreshToken: `turn ${turn}` }));
    await settle();
    expect(tokensOn(phone).map(([, { value }]) => value)).toEqual(['turn 3', 'turn 4']);
    await app.vault.compareAndSwap(null, signedOut);
    await settle();
    expect(tokensOn(phone)).toEqual([]);
  });

  it('an access token that is too large for an item is kept in memory only', async () => {
    const access = { value: 'a'.repeat(3_000), tokenType: 'Bearer', expiresAtMs: 2, lifetimeMs: 1 } as const;
    const phone = createFakePhone();
    const { vault } = start(phone);
    await vault.compareAndSwap(0, signedIn({ access }));
    expect((await vault.read())?.session?.access).toEqual(access);
    expect(Math.max(...[...phone.items.values()].map(({ value }) => value.length))).toBeLessThan(2_048);
    expect((await start(phone).vault.read())?.session).toEqual(storedSession({ access: null }));
  });

  it('a session of a newer app version is kept unread; a damaged one is reported as `storage-lost` and can be replaced', async () => {
    const { phone, app } = await signedInPhone();
    const [name, head] = headOn(phone);
    phone.items.set(name, { ...head, value: head.value.replace('"format":1', '"format":2') });
    await expect(app.vault.read()).rejects.toMatchObject({ ...unavailable, isRetryable: false });
    phone.items.set(name, { ...head, value: 'not a session' });
    const lost = await app.vault.read();
    expect(lost).toMatchObject({ session: null, endedReason: 'storage-lost' });
    expect((await app.vault.compareAndSwap(lost?.version ?? 0, signedIn())).isSwapped).toBe(true);
    expect((await start(phone).vault.read())?.session).toEqual(storedSession());
  });

  it('two accounts with different names do not share a session, a sign-out or a device secret', async () => {
    const phone = createFakePhone();
    const [ada, grace] = [start(phone, { name: 'account-1' }), start(phone, { name: 'account-2' })];
    await ada.vault.compareAndSwap(0, signedIn({ refreshToken: 'of ada' }));
    expect(await grace.vault.read()).toBeNull();
    const { record } = await grace.vault.compareAndSwap(0, signedIn({ refreshToken: 'of grace' }));
    await grace.vault.compareAndSwap(record?.version ?? 0, signedOut);
    expect((await start(phone, { name: 'account-1' }).vault.read())?.session?.refreshToken).toBe('of ada');
    expect(await ada.deviceSecret('a'.repeat(43))).not.toBe(await grace.deviceSecret('b'.repeat(43)));
  });

  it('two apps at two servers do not share a session, also if their names differ only in special characters', async () => {
    const platform = start(createFakePhone());
    const appOf = (name: string): Platform => platform.forApp?.(name) ?? platform;
    await appOf('https://a.example app').vault.compareAndSwap(0, signedIn());
    expect(await appOf('https://a.example/app').vault.read()).toBeNull();
    expect((await appOf('https://a.example app').vault.read())?.session).toEqual(storedSession());
  });
});

describe('an app and its extension that share an access group', () => {
  it('keep a readable session after both wrote at the same moment', async () => {
    const phone = createFakePhone();
    const options = { accessGroup: 'group' };
    const app = start(phone, options);
    await app.vault.compareAndSwap(0, signedIn({ refreshToken: 'one' }));
    const [name, head] = headOn(phone);
    await app.vault.compareAndSwap(null, signedIn({ refreshToken: 'two' }));
    // The extension read before the app wrote, and writes after it. Its token response had no new refresh token.
    phone.items.set(name, head);
    await app.vault.read();
    expect((await start(phone, options).vault.read())?.session?.refreshToken).toBe('one');
  });
});

describe('a reinstalled app', () => {
  it('is signed out, and queues the revocation of the earlier session', async () => {
    const { phone } = await signedInPhone();
    phone.files.clear();
    const app = start(phone);
    expect(await app.vault.read()).toBeNull();
    expect(tokensOn(phone)).toEqual([]);
    const { sid, refreshToken } = storedSession();
    expect(await app.outbox.list()).toEqual([{ sid, refreshToken }]);
    await app.vault.compareAndSwap(0, signedIn({ refreshToken: 'new' }));
    expect((await start(phone).vault.read())?.session?.refreshToken).toBe('new');
  });

  it.each(protections)('removes an earlier biometric session without a prompt, now with %s', async (protection) => {
    const { phone } = await signedInPhone({ protection: 'biometric' });
    phone.files.clear();
    phone.face = 'cancelled';
    expect(await start(phone, { protection }).vault.read()).toBeNull();
    expect(tokensOn(phone)).toEqual([]);
    expect(Array.from(phone.items.keys()).filter((name) => name.endsWith('.session'))).toEqual([]);
    expect(phone.prompts).toBe(0);
  });

  it('removes an earlier biometric session after the unlock if the phone is locked at the first launch', async () => {
    const { phone } = await signedInPhone({ protection: 'biometric' });
    phone.files.clear();
    phone.lock = 'locked';
    const { vault } = start(phone, { protection: 'after-first-unlock' });
    await expect(vault.read()).rejects.toMatchObject(unavailable);
    phone.lock = 'unlocked';
    expect(await vault.read()).toBeNull();
    expect(tokensOn(phone)).toEqual([]);
  });

  it('keeps the earlier session until the user has opened the app', async () => {
    const { phone, app } = await signedInPhone();
    phone.files.clear();
    phone.setAppState('background');
    await expect(app.vault.read()).rejects.toMatchObject(unavailable);
    expect(tokensOn(phone)).toHaveLength(1);
  });

  it.each([{ keepsAfterReinstall: true }, { accessGroup: 'group' }])('%j: keeps the session', async (options) => {
    const { phone } = await signedInPhone(options);
    phone.files.clear();
    expect((await start(phone, options).vault.read())?.session).toEqual(storedSession());
  });

  it('on a new phone restored from a backup is signed out, and a sign-in works', async () => {
    const { phone } = await signedInPhone();
    phone.items.clear();
    const app = start(phone);
    expect(await app.vault.read()).toBeNull();
    expect((await app.vault.compareAndSwap(0, signedIn())).isSwapped).toBe(true);
  });
});
