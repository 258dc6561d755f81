import type { AuthService } from '../../../client/src/auth-service.ts';
import type { Process } from '../sandbox/process.ts';
import type { DeviceHistory } from './endings.ts';

/** The user's wish to extend a session, until the server has answered it. */
export type Extension = {
  readonly sid: string;
  readonly askedAtMs: number;
  /** How often the database had forgotten a write to the session by then. */
  readonly fallbacks: number;
  /** A refresh has left since. */
  isSent: boolean;
};

/** What the checkers read of a running tab, and note about it. */
export type CheckedTab = {
  readonly process: Process;
  readonly auth: AuthService;
  /** When the service began. */
  readonly openedAtMs: number;
  /** The service was disposed of; another tab object takes this one's place in the same process. */
  isUnmounted: boolean;
  /** The session that the tab showed last; `null` before the first. */
  sid: string | null;
  /** Refreshes that the tab has sent. */
  refreshes: number;
  /** Those of them that nobody asked for: the token was about to expire. */
  dueRefreshes: number;
  /** Why the refresh under way was started. */
  cause: string;
  /** The user has asked to extend the session; `null`: the server has answered. */
  extension: Extension | null;
  /** The server ends sessions in words that no app can read. */
  readonly hearsOtherWords: boolean;
  /** Since when the server refuses to renew the session, by the clock that the tab measures with, in ms; `null`: it does not. */
  refusedSinceMs: number | null;
  readonly monotonicMs: () => number;
};

/** What the checkers read of a device. */
export type CheckedDevice = {
  readonly storage: CheckedStorage;
  readonly history: DeviceHistory;
  /** The tabs that live now. */
  tabs(): readonly CheckedTab[];
};

/** What the checkers read of a store. Times are in ms of the world. */
export type CheckedStorage = {
  record(): { readonly session: { readonly sid: string | null } | null } | null;
  /** The session that a tab can use; none if its cookie is gone. */
  session(): { readonly sid: string | null } | null;
  /** The session that a tab must find by its cookie, for nothing else is left of it; `null`: there is none. */
  findable(): string | null;
  /** When the record was written last, and since when it holds the session that it holds. */
  writtenAtMs(): number;
  heldSinceMs(): number;
  /** Since when the user of a session is not signed in here any more; `null`: still is, or never was. */
  goneSinceMs(sid: string): number | null;
  /** When the store last refused; now, if it does. */
  refusedMs(): number;
  /** Since when the store refuses everything; `null`: it does not. */
  refusesSinceMs(): number | null;
};
