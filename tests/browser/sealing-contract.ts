import { expect, it } from 'vitest';
import type { Tab } from '../engines/engine.ts';
import { vaultOf } from './remote-ports.ts';

/** The secrets that a copy of the database must not give away. `open` opens a tab on an empty store. */
export function sealingContract(name: string, open: () => Promise<Tab>): void {
  it(`${name}: no token is in the database in the clear, and no key in it can be exported`, async () => {
    const tab = await open();
    await vaultOf(tab).compareAndSwap(null, {
      session: {
        sid: null,
        sub: null,
        refreshToken: 'refresh-in-the-clear',
        scope: null,
        startedAtMs: 0,
        expiresAtMs: null,
        access: { value: 'access-in-the-clear', tokenType: 'Bearer', expiresAtMs: 0, lifetimeMs: 0 },
      },
      endedReason: null,
    });
    const { text, keys } = await tab.evaluate(() => ports.dump());
    expect(text).not.toContain('in-the-clear');
    expect(keys).toEqual([{ algorithm: 'AES-GCM', exported: 'InvalidAccessError' }]);
    await tab.close();
  });
}
