import { HoldfastError } from '../core/errors.ts';
import type { SignedOutReason, StoredSession, VaultRecord } from '../core/ports.ts';
import type { Keychain, Protection } from './keychain.ts';
import type { AppState, MarkerFile } from './modules.ts';

// The head of a session: all of it except the refresh token. It is readable from the first unlock on, so that the
// client can tell a locked device from one without a session.

/** The format of the head. The client never overwrites a newer format. */
const FORMAT = 1;

/** The keychain item that holds the head. */
export const HEAD_ITEM = 'session';

/** Some systems refuse larger values. */
const LARGEST_VALUE = 2_048;

type Access = StoredSession['access'];

/** The content of the head. */
export type Head = {
  readonly version: number;
  readonly endedReason: SignedOutReason | null;
  readonly endedAtMs?: VaultRecord['endedAtMs'];
  readonly session: Omit<StoredSession, 'refreshToken'> | null;
  /** The item that holds the refresh token; `null` if there is none. */
  readonly token: string | null;
  /** The protection of that item. */
  readonly protection: Protection;
  /**
   * Items of earlier refresh tokens, newest first. The first one is not deleted: another process that wrote at the same
   * moment may name it in its head.
   */
  readonly spent: readonly string[];
};

/** Reads and writes the head. `look`, `read` and `write` throw `storage-unavailable` while the keychain refuses. */
export type HeadItem = {
  /** Reads without a check. `null`: there is no head, or the keychain is not ready yet. */
  readonly look: () => Head | null;
  /** Reads with a check. `null`: there certainly is no head. */
  readonly read: () => Head | null;
  readonly write: (head: Head) => void;
  /** Makes the vault record of a head and its refresh token. */
  readonly toRecord: (head: Head, refreshToken: string | null) => VaultRecord;
};

/** Creates the error for a session that cannot be read now or, if not `isRetryable`, not by this version of the app. */
export const unavailable = (message: string, isRetryable = true): HoldfastError =>
  new HoldfastError('storage-unavailable', message, { isRetryable });

/** Replaces a head that cannot be parsed: there was a session. The names of its items are lost. */
const DAMAGED: Head = {
  version: 1,
  endedReason: 'storage-lost',
  session: null,
  token: null,
  protection: 'when-unlocked',
  spent: [],
};

function parseHead(text: string): Head {
  try {
    const { format, ...head } = JSON.parse(text) as Head & { readonly format: number };
    if (format > FORMAT) throw unavailable('the session was written by a newer version of this app', false);
    return Number.isSafeInteger(head.version) && Array.isArray(head.spent) ? head : DAMAGED;
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    return DAMAGED;
  }
}

const withoutAccess = (head: Head): Head => ({ ...head, session: head.session && { ...head.session, access: null } });

export function createHeadItem(keychain: Keychain, marker: MarkerFile, appState: AppState): HeadItem {
  /** An access token that is too large for the keychain, and the version of its head. */
  let inMemory: { readonly version: number; readonly access: Access } | null = null;
  const look = (): Head | null => {
    const text = keychain.read(HEAD_ITEM);
    return text === null ? null : parseHead(text);
  };
  return {
    look,
    // iOS starts apps before the first unlock, when the keychain may report "not found" for an item that exists.
    // Believe it only if the keychain stores and returns a probe and, after an earlier session, only while the user has
    // the app open.
    read: () => {
      const found = look();
      if (found) return found;
      keychain.probe('after-first-unlock');
      const head = look();
      if (!head && marker.exists() && appState.currentState !== 'active')
        throw unavailable('the keychain finds nothing while the app is in the background');
      return head;
    },
    write: (head) => {
      const text = JSON.stringify({ format: FORMAT, ...head });
      const isTooLarge = text.length > LARGEST_VALUE;
      inMemory = isTooLarge ? { version: head.version, access: head.session?.access ?? null } : null;
      const kept = isTooLarge ? JSON.stringify({ format: FORMAT, ...withoutAccess(head) }) : text;
      keychain.write(HEAD_ITEM, kept, 'after-first-unlock');
    },
    toRecord: ({ version, endedReason, endedAtMs, session }, refreshToken) => {
      const access = session?.access ?? (inMemory?.version === version ? inMemory.access : null);
      return { version, endedReason, endedAtMs, session: session && { ...session, refreshToken, access } };
    },
  };
}
