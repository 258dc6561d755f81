import { deviceSecretContract } from '../testing/device-secret-contract.ts';
import { outboxContract } from '../testing/outbox-contract.ts';
import { vaultContract } from '../testing/vault-contract.ts';
import { memoryDeviceSecret, memoryOutbox, memoryVault } from './memory-vault.ts';

const close = (): Promise<void> => Promise.resolve();

vaultContract('the memory vault', () => Promise.resolve({ vault: memoryVault(), close }));
outboxContract('the memory outbox', () => {
  const outbox = memoryOutbox();
  return Promise.resolve({ open: () => outbox, close });
});
deviceSecretContract('memory', () => {
  const deviceSecret = memoryDeviceSecret();
  return Promise.resolve({ open: () => Promise.resolve(deviceSecret), close });
});
