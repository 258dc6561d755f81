import type { AuthService } from '../../../client/src/auth-service.ts';
import type { Process } from '../sandbox/process.ts';
import type { DeviceHistory } from './endings.ts';

/** The user's request to extend a session, until the server has answered. */
export type Extension = {
  readonly sid: string;
  readonly askedAtMs: number;
  /** How often the database had forgotten a write to the session before the request. */
  readonly fallbacks: number;
  /** True once a refresh has left after the request. */
  isSent: boolean;
};

/** The facts about a running tab that the checkers read and note. */
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
  /** Refreshes that the client sent by itself, because the token was about to expire. */
  dueRefreshes: number;
  /** Why the refresh under way was started. */
  cause: string;
  /** The user's pending request to extend the session; `null`: there is none. */
  extension: Extension | null;
  /** True if the server ends sessions with error codes that no app can read. */
  readonly hearsOtherWords: boolean;
  /** Since when the server refuses to renew the session, by the tab's monotonic clock, in ms; `null`: it does not. */
  refusedSinceMs: number | null;
  readonly monotonicMs: () => number;
};

/** The facts about a device that the checkers read. */
export type CheckedDevice = {
  readonly storage: CheckedStorage;
  readonly history: DeviceHistory;
  /** The tabs that live now. */
  tabs(): readonly CheckedTab[];
};

/** The facts about a store that the checkers read. Times are in ms of the world. */
export type CheckedStorage = {
  record(): { readonly session: { readonly sid: string | null } | null } | null;
  /** The stored session that a tab can use; `null` if its cookie is gone. */
  session(): { readonly sid: string | null } | null;
  /**
   * The `sid` of a session that only its cookie still proves, so a tab must find it by that cookie; `null`: there is
   * none.
   */
  findable(): string | null;
  /** Times of the last write of the record, and of the write that stored its present session. */
  writtenAtMs(): number;
  heldSinceMs(): number;
  /**
   * The time at which the user of a session left this device; `null`: the user is still signed in here, or never was.
   */
  goneSinceMs(sid: string): number | null;
  isLost(): boolean;
  /** When the store last refused an operation; now, if it is locked or refuses. */
  refusedMs(): number;
  /** Since when the store refuses every operation; `null`: it does not. */
  refusesSinceMs(): number | null;
};
