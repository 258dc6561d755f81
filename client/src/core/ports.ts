import type { Instant } from './instant.ts';

/** An access token and what is known of its life. */
export type AccessToken = {
  readonly value: string;
  /** How to send it (RFC 6749 §7.1). */
  readonly tokenType: 'Bearer' | 'DPoP';
  /** Expiry by both clocks of this process; for a token that was restored, the monotonic half is derived from the wall half. */
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
   * The device chain that the session belongs to, and its place in it. The server counts the places: the larger one is the later
   * sign-in, no matter what clocks say. Absent with servers that have no chains.
   */
  readonly deviceId?: string | null | undefined;
  readonly deviceSequence?: number | null | undefined;
  /** When the server says that the session ends unless it is used or renewed, by this device's clock; `null` if it did not say. */
  readonly expiresAtMs: number | null;
  /** It ends then whatever its user does. */
  readonly isEndFixed?: boolean;
  /** The access token, so that tabs share one: value, type, wall-clock expiry and lifetime in ms. */
  readonly access: {
    readonly value: string;
    readonly tokenType: 'Bearer' | 'DPoP';
    readonly expiresAtMs: number;
    readonly lifetimeMs: number;
  } | null;
};

/** Why there is no session any more. */
export type SignedOutReason =
  | 'user'
  | 'expired'
  | 'revoked'
  | 'reuse-detected'
  | 'reauth-failed'
  /** There was a session, or there may have been one, and what this device had stored of it cannot be read any more. */
  | 'storage-lost'
  | 'never-signed-in';

/**
 * What the vault holds. `stamp` changes at every write. `session: null` with a stamp is a tombstone: somebody signed out
 * here, and says why. What is stored but cannot be opened any more is answered as a tombstone that says `storage-lost`, with
 * its stamp, and is left as it is. A vault that never held anything, or was emptied from outside, answers `null`.
 */
export type VaultRecord = {
  readonly stamp: number;
  readonly session: StoredSession | null;
  readonly endedReason: SignedOutReason | null;
  /** When a tombstone's sessions ended, in ms since 1970: a session that began later is not among them. Default: all are. */
  readonly endedAtMs?: number | null | undefined;
  /**
   * Only where no session can be read and the server may know one all the same, by its cookie: the `sid` of that session, `null`
   * if nothing names it. The client asks the server. Such a record is never written.
   */
  readonly sid?: string | null | undefined;
};

/**
 * The stored session. Every method may reject: then the vault is unavailable (locked, blocked, full), which is never a sign-out, and
 * it is tried again. Calls of the app reject with a `HoldfastError` whose `isRetryable` is `false`: only a person can mend the vault.
 */
export type Vault = {
  read(): Promise<VaultRecord | null>;
  /**
   * Compare and swap: writes only if the stored stamp is still `expectedStamp` (0: nothing stored; `null`: whatever it is).
   * Answers the record that is stored now, and whether it is the one given.
   */
  replace(
    expectedStamp: number | null,
    next: Omit<VaultRecord, 'stamp'>,
  ): Promise<{ readonly replaced: boolean; readonly record: VaultRecord | null }>;
};

/** One HTTP request as data. */
export type HttpRequest = {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** It is sent even if the page goes in the same moment. @see https://fetch.spec.whatwg.org/#request-keepalive-flag */
  readonly keepalive?: boolean;
};

/** One HTTP answer as data; header names in lower case. */
export type HttpAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** One HTTP exchange. Rejects when there was no answer. Must call out before its first `await` (same task). */
export type Transport = (request: HttpRequest, signal: AbortSignalLike) => Promise<HttpAnswer>;

/** As much of `AbortSignal` as ports need, so that engines without one can bring their own. */
export type AbortSignalLike = {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
};

/** Wall time, monotonic time and wake-ups. */
export type Clock = {
  readonly now: () => Instant;
  /**
   * Calls back once, not before `delayMs`; late is allowed. Returns a function that cancels it. `isIdle`: nobody waits for it, so
   * a process need not go on for it.
   */
  readonly wake: (delayMs: number, callback: () => void, isIdle?: boolean) => () => void;
};

/**
 * Locks across tabs: an optimisation; correctness does not rest on them. Resolves with the release function, or with `null` if the
 * lock could not be had within `waitMs` (ms) or there are no locks here. Never rejects, never steals. Each `level` (0, 1, 2, …) is
 * a lock of its own: when the holder of one is slow, the tabs that wait for it go on to the next. `signal`: the lock is not needed
 * any more; a port may end its wait then, and a lock that comes all the same is released at once.
 */
export type Mutex = (waitMs: number, level: number, signal?: AbortSignalLike) => Promise<(() => void) | null>;

/** What the platform noticed. */
export type Signal = 'foreground' | 'background' | 'online' | 'offline' | 'resumed' | 'store-changed' | 'user-active';

/** Starts listening and returns the function that stops it. */
export type Signals = (emit: (signal: Signal) => void) => () => void;

/** A session that was ended here and whose end the server may not have heard of yet. */
export type Revocation = {
  readonly sid: string | null;
  readonly refreshToken: string | null;
  /** The user's other sessions are to end with it. */
  readonly everywhere?: true;
  /** A sign-in that lost to another one: that session ends alone, and nobody is signed out. */
  readonly discard?: true;
};

/** Revocations to be delivered, also after a relaunch. Kept with the same care as the session. */
export type Outbox = {
  list(): Promise<readonly Revocation[]>;
  /** Keeps a session once, by `sid` and `refreshToken`; `everywhere` stays if it was ever said. */
  add(revocation: Revocation): Promise<void>;
  remove(revocation: Revocation): Promise<void>;
};

/** The request that a proof is for. */
export type ProofRequest = {
  readonly method: string;
  readonly url: string;
  /** The access token that goes with the proof; `null` at the token endpoint. */
  readonly accessToken: string | null;
  /** This device’s time, ms since 1970. */
  readonly nowMs: number;
};

/** Proves possession of a key that does not leave the device: `proofSigner()` makes one. @see RFC 9449 §4.2 */
export type ProofSigner = {
  readonly sign: (request: ProofRequest) => Promise<string>;
  /** Takes note of what an answer says. `nowMs`: what time it is by this device, ms since 1970. */
  readonly hear: (answer: { readonly url: string; readonly headers: HeardHeaders; readonly nowMs: number }) => void;
};

/** The nonce for the next proof (RFC 9449 §8.2), and the authorization server's time. */
export type HeardHeaders = {
  readonly 'dpop-nonce'?: string | null;
  readonly date?: string;
  /** The `Date` of a resource that has refused a proof; `null`: it cannot be read. Other proofs for it carry its time. */
  readonly resourceDate?: string | null;
  /** Goes with `resourceDate`. `true`: the request has been refused with two proofs. */
  readonly isRetry?: boolean;
};

/** Everything a platform provides. `holdfast/web` has one for browsers. */
export type Platform = {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly vault: Vault;
  readonly outbox: Outbox;
  readonly mutex: Mutex;
  readonly signals: Signals;
  /**
   * Emits `store-changed` at once if the store may have been written to since the last look. It costs next to nothing and never
   * throws: it is called before every token. Without it the store is read before a token is handed out after a pause of a second.
   */
  readonly look?: () => void;
  /** Tells the other tabs that the vault changed; never carries a token. */
  readonly announce: () => void;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** 32 random bytes as base64url: a PKCE code verifier (RFC 7636 §4.1). */
  readonly randomToken: () => string;
  /**
   * The device secret of this store: it keeps `candidate` if it has none yet, and answers the one it keeps. All tabs and processes
   * that share the store get the same one. It outlives sign-outs. May reject: then the store is unavailable.
   */
  readonly deviceSecret: (candidate: string) => Promise<string>;
  /** SHA-256 of an ASCII string, as base64url (RFC 7636 §4.2). */
  readonly sha256: (text: string) => Promise<string>;
  /** Signs DPoP proofs, if the session is to be bound to a key. */
  readonly signProof?: ProofSigner;
  /** Where the refresh token is kept: in an HttpOnly cookie that scripts cannot read, or in the vault. */
  readonly delivery: 'cookie' | 'body';
  /** A server that renders pages, where there is no session: every call rejects with `server-rendering`. Default: `false`. */
  readonly isRenderingServer?: boolean;
  /**
   * The same platform with a store of its own for one app: two apps on one origin, or one app at two servers, must never take
   * each other's session for theirs. `app` names issuer and client. Without it, the platform keeps one session.
   */
  readonly forApp?: (app: string) => Platform;
};
