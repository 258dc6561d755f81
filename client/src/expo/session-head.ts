import { HoldfastError } from '../core/errors.ts';
import type { SignedOutReason, StoredSession, VaultRecord } from '../core/ports.ts';
import type { Keychain, Protection } from './keychain.ts';
import type { AppState, MarkerFile } from './modules.ts';

// The head of a session: all but its refresh token. It can be read from the first unlock on, so that a device that is locked is
// told from one where nobody is signed in.

/** Format of the head. One from the future is left alone. */
const FORMAT = 1;

/** The item of the head. */
export const HEAD_ITEM = 'session';

/** Larger values have been known to be refused by some systems. */
const LARGEST_VALUE = 2_048;

type Access = StoredSession['access'];

/** What the head holds. */
export type Head = {
  readonly stamp: number;
  readonly endedReason: SignedOutReason | null;
  readonly endedAtMs?: VaultRecord['endedAtMs'];
  readonly session: Omit<StoredSession, 'refreshToken'> | null;
  /** The item with the refresh token; `null` if there is none. */
  readonly token: string | null;
  /** The class of that item. */
  readonly protection: Protection;
  /**
   * Items of refresh tokens before it, newest first. The first is kept: another process that was writing at the same moment may
   * have named it in its head.
   */
  readonly spent: readonly string[];
};

/** The item with the head. Every method throws `storage-unavailable` while it cannot be used. */
export type HeadItem = {
  /** What the keychain says now; `null` also where it is not there yet. */
  readonly look: () => Head | null;
  /** `null` means that there certainly is none. */
  readonly read: () => Head | null;
  readonly write: (head: Head) => void;
  /** The record that a head and its refresh token make. */
  readonly toRecord: (head: Head, refreshToken: string | null) => VaultRecord;
};

/** An error that says why the session cannot be had now, or cannot be had at all. */
export const unavailable = (message: string, isRetryable = true): HoldfastError =>
  new HoldfastError('storage-unavailable', message, { isRetryable });

/** What is said of a head that cannot be read: there was a session. The items that it named are not known any more. */
const DAMAGED: Head = {
  stamp: 1,
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
    return Number.isSafeInteger(head.stamp) && Array.isArray(head.spent) ? head : DAMAGED;
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    return DAMAGED;
  }
}

const withoutAccess = (head: Head): Head => ({ ...head, session: head.session && { ...head.session, access: null } });

export function createHeadItem(keychain: Keychain, marker: MarkerFile, appState: AppState): HeadItem {
  /** An access token that is too large for the keychain. */
  let inMemory: { readonly stamp: number; readonly access: Access } | null = null;
  const look = (): Head | null => {
    const text = keychain.read(HEAD_ITEM);
    return text === null ? null : parseHead(text);
  };
  return {
    look,
    // A keychain that is not there yet may answer "not found" (iOS starts apps before the first unlock). One is believed that takes
    // and gives back; and, where there was a session before, only while the user has the app open.
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
      inMemory = isTooLarge ? { stamp: head.stamp, access: head.session?.access ?? null } : null;
      const kept = isTooLarge ? JSON.stringify({ format: FORMAT, ...withoutAccess(head) }) : text;
      keychain.write(HEAD_ITEM, kept, 'after-first-unlock');
    },
    toRecord: ({ stamp, endedReason, endedAtMs, session }, refreshToken) => {
      const access = session?.access ?? (inMemory?.stamp === stamp ? inMemory.access : null);
      return { stamp, endedReason, endedAtMs, session: session && { ...session, refreshToken, access } };
    },
  };
}
