// A child process that uses Node's ports on command. `processes.ts` bundles and forks it.
import process from 'node:process';
import type { Vault } from '../core/ports.ts';
import { fileRefreshLock } from '../node/refresh-lock.ts';
import { fileVault } from '../node/vault.ts';
import type { PortCall } from './processes.ts';
import { storedSession } from './stored-session.ts';

const releases = new Map<number, () => void>();
const vaults = new Map<string, Vault>();

function vaultOf(file: string): Vault {
  const vault = vaults.get(file) ?? fileVault(file, () => {});
  vaults.set(file, vault);
  return vault;
}

async function run(call: PortCall): Promise<unknown> {
  switch (call.kind) {
    case 'read':
      return vaultOf(call.file).read();
    case 'compareAndSwap':
      return vaultOf(call.file).compareAndSwap(call.expectedVersion, call.next);
    case 'acquire': {
      const release = await fileRefreshLock(call.file)(call.waitMs, call.level);
      if (release) releases.set(call.id, release);
      return release !== null;
    }
    case 'release':
      return releases.get(call.acquired)?.();
    case 'hammer':
      return hammer(call.file);
  }
}

/** Writes until the process is killed. */
async function hammer(file: string): Promise<never> {
  const vault = fileVault(file, () => {});
  for (let write = 1; ; write++) {
    await vault.compareAndSwap(null, { session: storedSession({ startedAtMs: write }), endedReason: null });
    process.send?.({ written: write });
  }
}

process.on('message', (call: PortCall) => {
  run(call).then(
    (result) => process.send?.({ id: call.id, result }),
    (error: unknown) => process.send?.({ id: call.id, error: String(error) }),
  );
});

// Exit with the test, also if it failed or was stopped.
process.on('disconnect', () => process.exit());
