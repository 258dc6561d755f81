import type { Revocation, Vault, VaultRecord } from '../core/ports.ts';
import type { BiometricGate } from './biometric-gate.ts';
import type { Keychain, Protection } from './keychain.ts';
import type { AppState, MarkerFile } from './modules.ts';
import { createHeadItem, HEAD_ITEM, unavailable, type Head, type HeadItem } from './session-head.ts';

// A session is two items: its head, and the refresh token in the class that was asked for. Each refresh token is a new item: an
// item keeps its class for life, and to change one that is behind Face ID would ask for the face.

/** What the vault is made of. */
export type KeychainVaultParts = {
  readonly keychain: Keychain;
  readonly marker: MarkerFile;
  readonly appState: AppState;
  readonly gate: BiometricGate;
  readonly protection: Protection;
  /** A session from before the app was removed and installed again is still the user's, or another app's as well. */
  readonly keepsAfterReinstall: boolean;
  /** Other apps or extensions write to the same items. */
  readonly isShared: boolean;
  /** Takes over the session of an earlier installation, to be ended at the server. */
  readonly discard: (session: Revocation) => Promise<void>;
};

/** The refresh token that was read or written last. */
type Known = { readonly item: string; readonly token: string } | null;

type Next = Parameters<Vault['replace']>[1];

/** Two processes that write at the same moment, or after the keychain was emptied, must not choose the same. */
const nextStamp = (before: Head | null): number =>
  before ? before.stamp + 1 + Math.floor(Math.random() * 2 ** 20) : 1 + Math.floor(Math.random() * 2 ** 47);

/** The head that comes after `before`. Its token is the same item where the same refresh token is in it, in the right class. */
function headAfter(before: Head | null, next: Next, known: Known, protection: Protection): Head {
  const { session, endedReason, endedAtMs } = next;
  const stamp = nextStamp(before);
  const { refreshToken = null, ...rest } = session ?? {};
  const isKept = before !== null && known !== null && before.token === known.item && refreshToken === known.token;
  const token =
    refreshToken === null ? null : isKept && before.protection === protection ? known.item : `token.${stamp}`;
  const older = before ? [before.token, ...before.spent] : [];
  return {
    stamp,
    endedReason,
    endedAtMs,
    session: session && (rest as Head['session']),
    token,
    protection,
    spent: older.filter((item) => item !== null && item !== token) as string[],
  };
}

/** How often anything in this process has written to any keychain vault. */
let writes = 0;

/** The stamp that another process may have written. */
function stampOf({ look }: HeadItem): number | string {
  try {
    return look()?.stamp ?? 0;
  } catch {
    return 'locked';
  }
}

/** Removes items, each once. */
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

/** The session in the iOS keychain. A keychain knows no compare-and-swap: each one here is one task without a pause. */
export function keychainVault(parts: KeychainVaultParts): Vault & { readonly version: () => unknown } {
  const { keychain, marker, appState, gate, protection, keepsAfterReinstall, isShared, discard } = parts;
  const item = createHeadItem(keychain, marker, appState);
  const { removed, sweep } = createSweeper(keychain, protection);
  let known: Known = null;

  const readToken = async (head: Head): Promise<string | null> => {
    const { token } = head;
    if (token === null) return null;
    // Asked for once, not at each look: any other class says anew whether the device is unlocked.
    if (head.protection === 'biometric' && known?.item === token) return known.token;
    const isGuarded = head.protection === 'biometric';
    const value = isGuarded ? await gate.ask(token, () => keychain.readByBiometry(token)) : keychain.read(token);
    known = value === null ? null : { item: token, token: value };
    return value;
  };

  const readRecord = async (head: Head): Promise<VaultRecord | null> => {
    const refreshToken = await readToken(head);
    // Somebody may have written while the user was asked.
    const latest = item.look();
    if (latest && latest.stamp !== head.stamp) return readRecord(latest);
    return latest && item.toRecord(head, refreshToken);
  };

  /** The keychain outlives the app. Whoever removed the app meant to be signed out, or is somebody else by now. */
  const forgetEarlierInstallation = async (head: Head): Promise<null> => {
    if (appState.currentState !== 'active') throw unavailable('nobody has opened the app since it was installed');
    if (head.session && head.token !== null && head.protection !== 'biometric')
      await discard({ sid: head.session.sid, refreshToken: keychain.read(head.token) });
    const items = [head.token, ...head.spent].filter((each) => each !== null);
    await Promise.all([HEAD_ITEM, ...items].map((each) => keychain.remove(each, protection)));
    return null;
  };

  /** Writes the token before the head that names it: what is cut off in between leaves an item that nobody names. */
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
    version: () => (isShared ? `${writes} ${stampOf(item)}` : writes),
    read: async () => {
      const head = item.read();
      if (!head) return null;
      if (!keepsAfterReinstall && !marker.exists()) return forgetEarlierInstallation(head);
      sweep(head);
      // What cannot be written must not be rotated.
      if (head.session) keychain.probe(protection);
      return readRecord(head);
    },
    replace: async (expectedStamp, next) => {
      const before = item.read();
      if (expectedStamp === null || expectedStamp === (before?.stamp ?? 0))
        return { replaced: true, record: write(before, next) };
      return { replaced: false, record: before && (await readRecord(before)) };
    },
  };
}
