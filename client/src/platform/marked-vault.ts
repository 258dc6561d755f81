import type { Vault, VaultRecord } from '../core/ports.ts';

/** Outlives script storage. Holds the `sid` of the session in the vault, '' if its server names none. */
export type Marker = {
  /** `null`: no session. */
  readonly get: () => string | null;
  readonly set: (sid: string | null) => void;
};

/**
 * Creates a vault for sessions whose refresh token is in a cookie. After storage was emptied, the marker shows that
 * there may be a session. A first visit has no marker, so it sends no request.
 *
 * @param mayHaveCookies `true`: the server may know a session that this vault never held, so ask it without a marker
 * too
 */
export const markedVault = (vault: Vault, marker: Marker, mayHaveCookies = false): Vault => ({
  read: async () => {
    // Read the marker before the vault. In the other order, a tab that is frozen in between would take another tab's
    // new session for a lost one.
    const marked = marker.get();
    const record = await vault.read();
    // The record is readable: a session or a tombstone.
    if (record && record.sid === undefined) return record;
    const lost: VaultRecord = {
      version: 0,
      session: null,
      endedReason: 'storage-lost',
      ...record,
      sid: marked || null,
    };
    if (marked !== null) return lost;
    if (mayHaveCookies) return record ? lost : { ...lost, endedReason: 'never-signed-in' };
    // Without a `sid` the server must not be asked: it may answer with another account's session from another store.
    return record && { ...record, sid: undefined };
  },
  compareAndSwap: async (expectedVersion, next) => {
    const outcome = await vault.compareAndSwap(expectedVersion, next);
    if (outcome.isSwapped) marker.set(next.session && (next.session.sid ?? ''));
    return outcome;
  },
});
