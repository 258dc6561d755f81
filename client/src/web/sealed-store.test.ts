import { describe, expect, it } from 'vitest';
import { deviceSecretContract } from '../testing/device-secret-contract.ts';
import { outboxContract } from '../testing/outbox-contract.ts';
import { storedSession } from '../testing/stored-session.ts';
import { vaultContract } from '../testing/vault-contract.ts';
import { sealedStore } from './sealed-store.ts';
import { memorySlots, type Slots } from './slots.ts';
import { sealedOutbox, sealedVault, storedDeviceSecret } from './vault.ts';

const close = (): Promise<void> => Promise.resolve();

vaultContract('the sealed vault', () => Promise.resolve({ vault: sealedVault(sealedStore(memorySlots())), close }));

outboxContract('the sealed outbox', () => {
  const slots = memorySlots();
  return Promise.resolve({ open: () => sealedOutbox(sealedStore(slots)), close });
});

deviceSecretContract('the sealed store', () => {
  const slots = memorySlots();
  return Promise.resolve({ open: () => Promise.resolve(storedDeviceSecret(sealedStore(slots))), close });
});

/** Simulates a browser profile restored without its key: a new key cannot decrypt the stored values. */
const loseKey = (slots: Slots): Promise<unknown> => slots.update<null>('key', () => null);

describe('a store whose key was lost', () => {
  it('reports the session as `storage-lost`, so that the user learns why the session ended', async () => {
    const slots = memorySlots();
    const vault = sealedVault(sealedStore(slots));
    const { record } = await vault.compareAndSwap(0, { session: storedSession(), endedReason: null });
    const version = record?.version ?? 0;
    await loseKey(slots);
    expect(await vault.read()).toEqual({ version, session: null, endedReason: 'storage-lost', sid: null });
    // A write with an old version gets the same record.
    const late = await vault.compareAndSwap(version - 1, { session: storedSession(), endedReason: null });
    expect(late).toEqual({
      isSwapped: false,
      record: { version, session: null, endedReason: 'storage-lost', sid: null },
    });
    await vault.compareAndSwap(version, { session: storedSession({ refreshToken: 'new' }), endedReason: null });
    expect((await vault.read())?.session?.refreshToken).toBe('new');
  });

  it('still delivers later sign-outs', async () => {
    const slots = memorySlots();
    const outbox = sealedOutbox(sealedStore(slots));
    await outbox.add({ sid: 'old', refreshToken: 'old' });
    await loseKey(slots);
    expect(await outbox.list()).toEqual([]);
    await outbox.add({ sid: 'new', refreshToken: 'new' });
    expect(await outbox.list()).toEqual([{ sid: 'new', refreshToken: 'new' }]);
  });
});
