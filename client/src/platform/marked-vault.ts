import type { Vault, VaultRecord } from '../core/ports.ts';

/** The marker outlives script storage: the `sid` of the session that the vault holds, '' if its server names none. */
export type Marker = {
  /** `null`: no session. */
  readonly get: () => string | null;
  readonly set: (sid: string | null) => void;
};

/**
 * A vault for sessions whose refresh token is in a cookie. Its marker says whether there may be a session once storage was
 * emptied: a first visit has none, so the server is not asked for one.
 *
 * @param mayHaveCookies the server may know a session that this vault never held
 */
export const markedVault = (vault: Vault, marker: Marker, mayHaveCookies = false): Vault => ({
  read: async () => {
    // Read before the vault: a tab that was frozen in between would take another tab's new session for a lost one.
    const marked = marker.get();
    const record = await vault.read();
    // Readable: a session, or a sign-out.
    if (record && record.sid === undefined) return record;
    const lost: VaultRecord = { stamp: 0, session: null, endedReason: 'storage-lost', ...record, sid: marked || null };
    if (marked !== null) return lost;
    if (mayHaveCookies) return record ? lost : { ...lost, endedReason: 'never-signed-in' };
    // The server must not be asked without a name: it may know the session of another store, another account's.
    return record && { ...record, sid: undefined };
  },
  replace: async (expectedStamp, next) => {
    const outcome = await vault.replace(expectedStamp, next);
    if (outcome.replaced) marker.set(next.session && (next.session.sid ?? ''));
    return outcome;
  },
});
