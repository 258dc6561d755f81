import type { Instant } from './instant.ts';

/** An access token and its lifetime. */
export type AccessToken = {
  readonly value: string;
  /** How to send it (RFC 6749 §7.1). */
  readonly tokenType: 'Bearer' | 'DPoP';
  /** Expiry by both clocks of this process. For a restored token, the monotonic half is derived from the wall half. */
  readonly expiresAt: Instant;
  /** How long the token lived when it was issued, in ms: the refresh margin depends on it. */
  readonly lifetimeMs: number;
};

/** A session as the vault keeps it. The refresh token is `null` where an HttpOnly cookie carries it. */
export type StoredSession = {
  /** Session id; `null` with servers that name none. */
  readonly sid: string | null;
  /** Subject; `null` with servers that name none. */
  readonly sub: string | null;
  readonly refreshToken: string | null;
  readonly scope: string | null;
  /** When the user signed in, ms since 1970 by this device's clock. */
  readonly startedAtMs: number;
  /**
   * The session's device chain, and its place in the chain. The server counts the places: the larger one is the later
   * sign-in, no matter what clocks say. Absent with servers that have no chains.
   */
  readonly deviceId?: string | null | undefined;
  readonly deviceSequence?: number | null | undefined;
  /** When the session ends unless it is used or renewed, by this device's clock; `null` if the server did not say. */
  readonly expiresAtMs: number | null;
  /** The session ends then whatever its user does. */
  readonly isEndFixed?: boolean;
  /** The access token, so that tabs share one: value, type, wall-clock expiry and lifetime in ms. */
  readonly access: {
    readonly value: string;
    readonly tokenType: 'Bearer' | 'DPoP';
    readonly expiresAtMs: number;
    readonly lifetimeMs: number;
  } | null;
};

/** Why there is no session. */
export type SignedOutReason =
  | 'user'
  | 'expired'
  | 'revoked'
  | 'reuse-detected'
  | 'reauthentication-failed'
  /** There was a session, or may have been one, and its stored record cannot be read any more. */
  | 'storage-lost'
  | 'never-signed-in';

/**
 * The record that the vault holds. `version` changes at every write. `session: null` with a version is a tombstone: the
 * user signed out here, and `endedReason` says why. A record that cannot be opened any more is answered as a tombstone
 * with the reason `storage-lost` and its version, and is left as it is. A vault that never held anything, or was emptied
 * from outside, answers `null`.
 */
export type VaultRecord = {
  readonly version: number;
  readonly session: StoredSession | null;
  readonly endedReason: SignedOutReason | null;
  /**
   * When a tombstone's sessions ended, in ms since 1970. A session that began later is not among them. Default: all
   * are.
   */
  readonly endedAtMs?: number | null | undefined;
  /**
   * Set only if no session can be read and the server may still know one by its cookie: the `sid` of that session,
   * `null` if nothing names it. The client asks the server. Such a record is never written.
   */
  readonly sid?: string | null | undefined;
};

/**
 * The stored session. Every method may reject: the vault is then unavailable (locked, blocked, full). That is never a
 * sign-out, and the client tries again. If only a person can repair the vault, reject with a `HoldfastError` whose
 * `isRetryable` is `false`: calls of the app then reject with it.
 */
export type Vault = {
  read(): Promise<VaultRecord | null>;
  /**
   * Compares and swaps: writes only if the stored version is still `expectedVersion` (0: nothing stored; `null`: any
   * version). Answers the record that is stored now, and whether it is the given one.
   */
  compareAndSwap(
    expectedVersion: number | null,
    next: Omit<VaultRecord, 'version'>,
  ): Promise<{ readonly isSwapped: boolean; readonly record: VaultRecord | null }>;
};

/** One HTTP request as data. */
export type HttpRequest = {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /**
   * Sends the request even if the page is closed in the same moment.
   * @see https://fetch.spec.whatwg.org/#request-keepalive-flag
   */
  readonly keepalive?: boolean;
};

/** One HTTP response as data. Header names are in lower case. */
export type HttpResponse = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** One HTTP exchange. Rejects if there was no response. Must call out before its first `await` (same task). */
export type Transport = (request: HttpRequest, signal: AbortSignalLike) => Promise<HttpResponse>;

/** The part of `AbortSignal` that ports need, so that engines without one can bring their own. */
export type AbortSignalLike = {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
};

/** Wall time, monotonic time and wake-ups. */
export type Clock = {
  readonly now: () => Instant;
  /**
   * Calls back once, not before `delayMs`; late is allowed. Returns a function that cancels it. `isIdle`: no caller
   * waits for it, so it need not keep a process alive.
   */
  readonly wake: (delayMs: number, callback: () => void, isIdle?: boolean) => () => void;
};

/**
 * Locks across tabs: an optimisation, on which correctness does not rest. Resolves with the release function, or with
 * `null` if the lock could not be had within `waitMs` (ms) or the platform has no locks. Never rejects, never steals.
 * Each `level` (0, 1, 2, …) is a separate lock: when the holder of one is slow, the tabs that wait for it go on to the
 * next. `signal`: the lock is not needed any more. A port may then end its wait; a lock that is granted all the same is
 * released at once.
 */
export type RefreshLock = (waitMs: number, level: number, signal?: AbortSignalLike) => Promise<(() => void) | null>;

/** An event that the platform noticed. */
export type Signal = 'foreground' | 'background' | 'online' | 'offline' | 'resumed' | 'store-changed' | 'user-active';

/** Starts listening and returns the function that stops it. */
export type Signals = (emit: (signal: Signal) => void) => () => void;

/** A session that ended here, while the server may not know it yet. */
export type PendingRevocation = {
  readonly sid: string | null;
  readonly refreshToken: string | null;
  /** Ends the user's other sessions as well. */
  readonly everywhere?: true;
  /** The sign-in lost to another one: ends that session alone, and signs no user out. */
  readonly discard?: true;
};

/** Revocations to be delivered, also after a relaunch. Keep them with the same care as the session. */
export type Outbox = {
  list(): Promise<readonly PendingRevocation[]>;
  /** Adds a session once, by `sid` and `refreshToken`. `everywhere` stays set once it was set. */
  add(revocation: PendingRevocation): Promise<void>;
  remove(revocation: PendingRevocation): Promise<void>;
};

/** The request that a DPoP proof is for. */
export type ProofRequest = {
  readonly method: string;
  readonly url: string;
  /** The access token that goes with the proof; `null` at the token endpoint. */
  readonly accessToken: string | null;
  /** This device's time, ms since 1970. */
  readonly nowMs: number;
};

/** Proves possession of a key that does not leave the device: `proofSigner()` makes one. @see RFC 9449 §4.2 */
export type ProofSigner = {
  readonly sign: (request: ProofRequest) => Promise<string>;
  /** Records the nonce and the time of a response. `nowMs`: this device's time, ms since 1970. */
  readonly onResponse: (answer: {
    readonly url: string;
    readonly headers: ProofResponseHeaders;
    readonly nowMs: number;
  }) => void;
};

/** The nonce for the next proof (RFC 9449 §8.2), and the authorization server's time. */
export type ProofResponseHeaders = {
  readonly 'dpop-nonce'?: string | null;
  readonly date?: string;
  /**
   * The `Date` of a resource that refused a proof; `null`: it cannot be read. Later proofs for that resource carry its
   * time.
   */
  readonly resourceDate?: string | null;
  /** Goes with `resourceDate`. `true`: the resource has refused the request with two proofs. */
  readonly isRetry?: boolean;
};

/** The ports that a platform provides. `holdfast/web` has one for browsers. */
export type Platform = {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly vault: Vault;
  readonly outbox: Outbox;
  readonly refreshLock: RefreshLock;
  readonly signals: Signals;
  /**
   * Emits `store-changed` at once if the store may have been written to since the last look. It is called before every
   * token, so it must be cheap and never throw. Without it, the store is read before a token is handed out if the last
   * read is more than a second old.
   */
  readonly look?: () => void;
  /** Tells the other tabs that the vault changed; never carries a token. */
  readonly announce: () => void;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** 32 random bytes as base64url: a PKCE code verifier (RFC 7636 §4.1). */
  readonly randomToken: () => string;
  /**
   * The device secret of this store: keeps `candidate` if the store has none yet, and answers the one it keeps. All
   * tabs and processes that share the store get the same one. It outlives sign-outs. May reject: the store is then
   * unavailable.
   */
  readonly deviceSecret: (candidate: string) => Promise<string>;
  /** SHA-256 of an ASCII string, as base64url (RFC 7636 §4.2). */
  readonly sha256: (text: string) => Promise<string>;
  /** Signs DPoP proofs, if the session is to be bound to a key. */
  readonly signProof?: ProofSigner;
  /** Where the refresh token is kept: in an HttpOnly cookie that scripts cannot read, or in the vault. */
  readonly refreshTokenTransport: 'cookie' | 'body';
  /** A server that renders pages and has no session: every call rejects with `server-rendering`. Default: `false`. */
  readonly isRenderingServer?: boolean;
  /**
   * The same platform with a separate store for one app: two apps on one origin, or one app at two servers, must never
   * take each other's session. `app` names issuer and client. Without it, the platform keeps one session.
   */
  readonly forApp?: (app: string) => Platform;
};
