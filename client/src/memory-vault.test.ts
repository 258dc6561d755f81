import { memoryVault } from './memory-vault.ts';
import { vaultContract } from './testing/vault-contract.ts';

vaultContract('the memory vault', () => Promise.resolve({ vault: memoryVault(), close: () => Promise.resolve() }));
