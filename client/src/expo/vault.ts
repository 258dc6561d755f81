import type { PendingRevocation, Vault, VaultRecord } from '../core/ports.ts';
import type { BiometricGate } from './biometric-gate.ts';
import type { Keychain, Protection } from './keychain.ts';
import type { AppState, MarkerFile } from './modules.ts';
import { createHeadItem, HEAD_ITEM, unavailable, type Head, type HeadItem } from './session-head.ts';

// A session is two keychain items: its head, and the refresh token with the requested protection. Each refresh token is
// a new item, because an item never changes its protection, and because an update of a guarded item would show a
// prompt.

/** The parts that `keychainVault` needs. */
export type KeychainVaultParts = {
  readonly keychain: Keychain;
  readonly marker: MarkerFile;
  readonly appState: AppState;
  readonly gate: BiometricGate;
  readonly protection: Protection;
  /** Keeps a session of an earlier installation: it still belongs to the user, or to another app as well. */
  readonly keepsAfterReinstall: boolean;
  /** Other apps or extensions write to the same items. */
  readonly isShared: boolean;
  /** Queues the revocation of a session of an earlier installation. */
  readonly discard: (session: PendingRevocation) => Promise<void>;
};

/** The refresh token of the last read or write. */
type Known = { readonly item: string; readonly token: string } | null;

type Next = Parameters<Vault['compareAndSwap']>[1];

/** Chooses a version at random, so that two processes that write at once, or after a loss, choose different ones. */
const nextVersion = (before: Head | null): number =>
  before ? before.version + 1 + Math.floor(Math.random() * 2 ** 20) : 1 + Math.floor(Math.random() * 2 ** 47);

/** Makes the head after `before`. It names the same token item if refresh token and protection have not changed. */
function headAfter(before: Head | null, next: Next, known: Known, protection: Protection): Head {
  const { session, endedReason, endedAtMs } = next;
  const version = nextVersion(before);
  const { refreshToken = null, ...rest } = session ?? {};
  const isKept = before !== null && known !== null && before.token === known.item && refreshToken === known.token;
  const token =
    refreshToken === null ? null : isKept && before.protection === protection ? known.item : `token.${version}`;
  const older = before ? [before.token, ...before.spent] : [];
  return {
    version,
    endedReason,
    endedAtMs,
    session: session && (rest as Head['session']),
    token,
    protection,
    spent: older.filter((item) => item !== null && item !== token) as string[],
  };
}

/** Counts the writes of this process to any keychain vault. */
let writes = 0;

/** Reads the stored version, which another process may have written. */
function versionOf({ look }: HeadItem): number | string {
  try {
    return look()?.version ?? 0;
  } catch {
    return 'locked';
  }
}

/** Removes the items of earlier refresh tokens, each once. */
function createSweeper(
  keychain: Keychain,
  protection: Protection,
): { readonly removed: ReadonlySet<string>; readonly sweep: (head: Head) => void } {
  const removed = new Set<string>();
  const remove = async (item: string): Promise<void> => {
    if (!removed.has(item) && (await keychain.remove(item, protection))) removed.add(item);
  };
  return {
    removed,
    sweep: ({ session, spent }) => {
      for (const item of session ? spent.slice(1) : spent) void remove(item);
    },
  };
}

/** Removes all items of a session. Rejects, and keeps the head, while a token cannot be removed. */
async function removeSession(keychain: Keychain, { token, spent, protection }: Head): Promise<void> {
  const items = [token, ...spent].filter((each) => each !== null);
  // Remove the head last: it names the tokens, which nothing else would find again.
  const areRemoved = await Promise.all(items.map((each) => keychain.remove(each, protection)));
  if (areRemoved.includes(false)) throw unavailable('the session of an earlier installation cannot be removed yet');
  await keychain.remove(HEAD_ITEM, 'after-first-unlock');
}

/**
 * Creates the vault in the iOS keychain. The keychain has no compare-and-swap: `replace` compares and writes in one
 * task, so no other code of the app runs in between.
 */
export function keychainVault(parts: KeychainVaultParts): Vault & { readonly version: () => unknown } {
  const { keychain, marker, appState, gate, protection, keepsAfterReinstall, isShared, discard } = parts;
  const item = createHeadItem(keychain, marker, appState);
  const { removed, sweep } = createSweeper(keychain, protection);
  let known: Known = null;

  const readToken = async (head: Head): Promise<string | null> => {
    const { token } = head;
    if (token === null) return null;
    // Prompt for a guarded token once, not at each read. Read others each time, to learn if the device is unlocked.
    if (head.protection === 'biometric' && known?.item === token) return known.token;
    const isGuarded = head.protection === 'biometric';
    const value = isGuarded ? await gate.ask(token, () => keychain.readByBiometry(token)) : keychain.read(token);
    known = value === null ? null : { item: token, token: value };
    return value;
  };

  const readRecord = async (head: Head): Promise<VaultRecord | null> => {
    const refreshToken = await readToken(head);
    // Another write may have happened during the prompt.
    const latest = item.look();
    if (latest && latest.version !== head.version) return readRecord(latest);
    return latest && item.toRecord(head, refreshToken);
  };

  /** Removes a session of an earlier installation: a user who deletes the app expects to be signed out. */
  const forgetEarlierInstallation = async (head: Head): Promise<null> => {
    if (appState.currentState !== 'active') throw unavailable('nobody has opened the app since it was installed');
    if (head.session && head.token !== null && head.protection !== 'biometric')
      await discard({ sid: head.session.sid, refreshToken: keychain.read(head.token) });
    await removeSession(keychain, head);
    return null;
  };

  /** Writes the token before the head that names it: a crash in between only leaves an unused item. */
  const write = (before: Head | null, next: Next): VaultRecord => {
    const planned = headAfter(before, next, known, protection);
    const head = { ...planned, spent: planned.spent.filter((each) => !removed.has(each)) };
    const { refreshToken = null } = next.session ?? {};
    if (!marker.exists()) marker.create();
    if (head.token !== null && refreshToken !== null && head.token !== before?.token)
      keychain.write(head.token, refreshToken, protection);
    item.write(head);
    writes++;
    known = head.token === null || refreshToken === null ? null : { item: head.token, token: refreshToken };
    sweep(head);
    return item.toRecord(head, refreshToken);
  };

  return {
    version: () => (isShared ? `${writes} ${versionOf(item)}` : writes),
    read: async () => {
      const head = item.read();
      if (!head) return null;
      if (!keepsAfterReinstall && !marker.exists()) return forgetEarlierInstallation(head);
      sweep(head);
      // Probe first: the server must not rotate a refresh token whose successor cannot be stored.
      if (head.session) keychain.probe(protection);
      return readRecord(head);
    },
    compareAndSwap: async (expectedVersion, next) => {
      const before = item.read();
      if (expectedVersion === null || expectedVersion === (before?.version ?? 0))
        return { isSwapped: true, record: write(before, next) };
      return { isSwapped: false, record: before && (await readRecord(before)) };
    },
  };
}
