import type { HoldfastError, HoldfastErrorCode } from './errors.ts';
import type { Instant } from './instant.ts';
import type { AccessToken, Signal, SignedOutReason, StoredSession, VaultRecord } from './ports.ts';
import type { RejectionReason, TokenResult, TransientCause } from './token-result.ts';

/** Why a refresh was started. */
export type RefreshCause = 'restored' | 'proactive' | 'expired' | 'refused' | 'extend' | 'resource';

/** Confidence in a session: confirmed by the server, only read from the vault, or the server is out of reach. */
export type Freshness = 'verified' | 'restored' | 'offline';

/** A means of authenticating again. Stages are tried in order. */
export type ReauthenticationStage = 'passkey' | 'password';

/** Why the user has to authenticate again. */
export type ReauthenticationReason = RejectionReason | 'storage-lost';

/** Why a stage of the reauthentication failed. */
export type ReauthenticationFailure = 'unavailable' | 'cancelled' | 'failed';

/** Progress of a reauthentication: the current stage, the stages still to come, and the stages that failed. */
export type ReauthenticationProgress = {
  readonly stage: ReauthenticationStage;
  readonly laterStages: readonly ReauthenticationStage[];
  readonly failed: readonly { readonly stage: ReauthenticationStage; readonly why: ReauthenticationFailure }[];
};

/** A resource asked for a fresher or stronger authentication than the session has. @see RFC 9470 §3 */
export type StepUp = { readonly acrValues: string | null; readonly maxAgeSeconds: number | null };

/** A caller that waits for an access token. The shell holds the caller's promise; the state holds only its number. */
export type Waiter = {
  readonly caller: number;
  /** Only a token with a larger number helps. 0: the caller had none. Infinity: only a sign-in helps. */
  readonly newerThan: number;
  /** Monotonic time at which the caller gives up, in ms. */
  readonly deadlineMs: number;
  /** `SessionState.userEpoch` when the request was made. The waiter is never settled with another user's token. */
  readonly userEpoch: number;
  /** The request failed while the platform reported no network. It is sent again when a network is back. */
  readonly isForNetwork: boolean;
  /** Monotonic time in ms: the wait for a network ends (the platform may be wrong), or the token is old enough. */
  readonly pauseUntilMs: number;
  readonly stepUp: StepUp | null;
  /** The resource that the token is for; `null`: the session's ordinary token. @see RFC 8707 */
  readonly resource: string | null;
};

/** The outcome of a request that carried a token. */
export type Trial = {
  /** Generation of the token that the request carried. */
  readonly tokenNumber: number;
  /** Generation that the try before carried and that was refused; `null`: this was the first try. */
  readonly before: number | null;
  readonly origin: string;
  /** Origin and path. */
  readonly url: string;
  /** `bare`: a 401 that does not blame the token. @see RFC 6750 §3.1 */
  readonly verdict: 'accepted' | 'bare' | 'refused';
  /**
   * How far the token's `iat` is ahead of the resource's clock, in ms. `null`: the resource's clock cannot be read.
   * `NaN`: the token has no `iat`, or it was accepted.
   */
  readonly aheadMs: number | null;
};

/** Consecutive refusals by the token endpoint. A retry may not cure them. */
export type Refusal = {
  /** Monotonic time of the first one, in ms. */
  readonly sinceMs: number;
  /** The server's words in the last refusal. */
  readonly words: string;
  /** The refusals have lasted long enough to ask the user to sign in. */
  readonly isDoubtful: boolean;
};

/** The session as this tab holds it. */
export type Held = {
  readonly stored: StoredSession;
  readonly access: AccessToken | null;
  /** A resource refused `access` as invalid: do not send it again. */
  readonly isRefused: boolean;
  readonly freshness: Freshness;
  /** When the session ends unless it is renewed; `null` if unknown. */
  readonly endsAt: Instant | null;
  /** The token ends with the session, and no refresh known to this tab moved that end: only the user can move it. */
  readonly isFinal: boolean;
  /** Number of `policy.expiryWarningsMs` that have been given. */
  readonly warningsGiven: number;
  /**
   * No stored session was readable, but a cookie may carry one: the client asks the server and stays `restoring`. The
   * value is the reason to show if the server knows no session; `null`: a known session.
   */
  readonly probe: SignedOutReason | null;
};

/** There is a session. */
export type Active = { readonly kind: 'active' } & Held;

/** The phase of the session. */
export type Phase =
  | { readonly kind: 'restoring' }
  | { readonly kind: 'signed-out'; readonly reason: SignedOutReason }
  | Active
  | {
      readonly kind: 'reauthentication-required';
      readonly stored: StoredSession;
      readonly reason: ReauthenticationReason;
    };

/** The current step of a refresh. Each step waits for exactly one event, or for its deadline. */
export type FlightStep =
  /** `level`: the lock that the refresh waits for, counted from 0. */
  | { readonly kind: 'locking'; readonly level: number }
  | { readonly kind: 'reading' }
  /** `sent`: the refresh token in the request; `null`: a cookie carries it. */
  | { readonly kind: 'requesting'; readonly sentAt: Instant; readonly version: number; readonly sent: string | null }
  | {
      readonly kind: 'committing';
      readonly held: Held;
      /** The access token of the answer. */
      readonly access: AccessToken | null;
      readonly version: number;
      readonly sent: string | null;
    }
  /** A rejection or a 429. The answer may be about a token that another tab has replaced. */
  | { readonly kind: 'rereading'; readonly version: number; readonly answer: Exclude<TokenResult, { kind: 'tokens' }> };

/** The one refresh under way. */
export type Flight = {
  readonly attempt: number;
  readonly cause: RefreshCause;
  /** Generation of the access token that the refresh replaces. */
  readonly tokenNumber: number;
  /** The resource to request a token for, keeping the ordinary token; `null`: replaces the ordinary token. */
  readonly resource: string | null;
  readonly startedAt: Instant;
  /** Deadline of the current step, by whichever clock reaches it first. */
  readonly deadline: Instant;
  /** The request was repeated once with the nonce that the server required. */
  readonly hasNonce: boolean;
  /** The request reported user activity. If the refresh fails, the next one must report it. */
  readonly isUserActive: boolean;
  readonly step: FlightStep;
};

/**
 * No refresh before `until`, or before `parkedUntil` while requests are parked: an outage must not delay them much
 * longer than it lasts. `isServerAsked`: the server asked for the wait, so a network that is back does not shorten it.
 */
export type Backoff = { readonly until: Instant; readonly parkedUntil: Instant; readonly isServerAsked: boolean };

/** A change that the vault does not hold yet: a sign-out, or a session that could not be written when it arrived. */
export type Unwritten = {
  /** The write under way; `null` while it waits for its next try at `retryAt`. */
  readonly operation: number | null;
  readonly retryAt: Instant | null;
  /** The session to write; `null`: a tombstone with `reason`. */
  readonly session: StoredSession | null;
  readonly reason: SignedOutReason | null;
  /** Wall time at which the tombstone's sessions ended, in ms; `null` for a session. */
  readonly endedAtMs: number | null;
  /** The user signed in or out. Ignore other tabs' records of the sessions left behind (`over`, by name). */
  readonly isUsersWill: boolean;
  readonly over: readonly string[];
};

/** The whole state of the machine. It holds tokens: log and display `describe(state)` only. */
export type SessionState = {
  readonly phase: Phase;
  /** The reauthentication under way: the session ended, or a resource requires a `stepUp` while all else goes on. */
  readonly reauthentication: (ReauthenticationProgress & { readonly stepUp: StepUp | null }) | null;
  /** The vault's version that `phase` reflects; 0: nothing was ever stored. */
  readonly version: number;
  /** Changes whenever another user may be signed in. A request made in one epoch is never sent in another. */
  readonly userEpoch: number;
  /** Counts the access tokens that this tab has held. A request remembers the number of the token that it carried. */
  readonly tokenNumber: number;
  /** Monotonic time at which this tab took up the newest access token, in ms. */
  readonly tokenSinceMs: number;
  /** Verdicts on tokens, in ms. By token or URL: the monotonic time when it lapses. By origin: its latest duration. */
  readonly verdicts: Readonly<Record<string, number>>;
  readonly waiting: readonly Waiter[];
  /** Requests that are not admitted yet. While the store is not known, they wait for it to be read. */
  readonly asking: readonly Waiter[];
  /** The store holds what this process last saw until then; later, it is read before a token is handed out. */
  readonly knownUntil: Instant;
  readonly flight: Flight | null;
  /** A sign-in or adoption that is being stored before it is shown. */
  readonly storing: { readonly operation: number; readonly held: Held; readonly over: readonly string[] } | null;
  /** The read of the vault under way, to restore the session or because another tab may have written; `null`: none. */
  readonly syncing: number | null;
  /** When to read the vault next; `null`: no need. During a read: when its answer is too old. */
  readonly syncAt: Instant | null;
  /** State that this tab holds and the vault does not. It is written as soon as possible. */
  readonly unwritten: Unwritten | null;
  /** The vault's last error, if no retry cures it; `null`: the vault is readable, or may be soon. */
  readonly vaultError: HoldfastError | null;
  /** A refresh that was requested regardless of the token's age. */
  readonly wanted: RefreshCause | null;
  readonly backoff: Backoff | null;
  readonly failures: number;
  /** Monotonic time in ms up to which refreshes used the allowance, which caps them whatever the server answers. */
  readonly paidUntilMs: number;
  /** The user was active after the last refresh that reported activity. */
  readonly isUserActive: boolean;
  /** The platform reports no network, perhaps wrongly: no refresh is held back, and any answer overrules it. */
  readonly isOffline: boolean;
  /** An outage was seen, and no answer has come since. The first answer ends the back-off, once. */
  readonly isUnreached: boolean;
  /** Access tokens for other audiences, by resource. Dropped whenever the session is taken up anew or ends. */
  readonly resourceTokens: Readonly<Record<string, AccessToken>>;
  /** The server's refusals to renew the session since it last renewed it. Their words do not end the session. */
  readonly refusal: Refusal | null;
  /** A number in [0, 1) that spreads the proactive refreshes of tabs. It changes with each token. */
  readonly jitter: number;
  /** Number of refreshes started. A refresh and its operations on the vault are identified by this number. */
  readonly attempts: number;
  /** Number of other operations started, numbered downwards from -1: no late answer passes for a current one. */
  readonly operations: number;
};

/** Configuration of the machine besides its policy. */
export type MachineConfig = {
  /** Where the refresh token is kept: in a cookie that scripts cannot read, or with the session. */
  readonly hasCookie: boolean;
  readonly scope: string | null;
  readonly stages: readonly ReauthenticationStage[];
  /** Stages that start by themselves. The user interface starts the others. */
  readonly automaticStages: readonly ReauthenticationStage[];
  /** Counts every refresh as user activity, for apps that report none. */
  readonly isUserActive: boolean;
  /** How long a read of the store counts, in ms. `Infinity`: the platform reports every change. */
  readonly storeKnownMs: number;
};

/** Facts. Each effect with a reply ends in exactly one event that carries its `attempt` or `operation`. */
export type SessionEvent =
  /** Only time has passed. */
  | { readonly type: 'woke' }
  | { readonly type: 'signalled'; readonly signal: Signal }
  | {
      readonly type: 'tokenRequested';
      readonly caller: number;
      readonly newerThan: number;
      /** `SessionState.userEpoch` of a request that was sent before; `null`: the current epoch. */
      readonly userEpoch: number | null;
      /** ms from now */
      readonly deadlineMs: number;
      /** The authentication that its resource requires. The session stays; only this caller waits for a sign-in. */
      readonly stepUp: StepUp | null;
      /** The request failed on the way. If there is no network it waits for one, for `pauseMs` at most. */
      readonly isForNetwork: boolean;
      readonly pauseMs: number;
      /** Set if the request was answered 401. */
      readonly refusal: Trial | null;
      readonly resource: string | null;
    }
  /** A resource accepted a token, or refused a request that cannot be sent again. */
  | { readonly type: 'tokenTried'; readonly trial: Trial }
  /** A request to a resource got no answer. */
  | { readonly type: 'requestLost' }
  | { readonly type: 'callerLeft'; readonly caller: number }
  | { readonly type: 'extendRequested' }
  | { readonly type: 'signedIn'; readonly held: Held }
  /** `extent`: ends the user's other sessions as well. */
  | { readonly type: 'signOutRequested'; readonly extent?: 'everywhere' | undefined }
  | {
      readonly type: 'reauthenticationFailed';
      readonly stage: ReauthenticationStage;
      readonly why: ReauthenticationFailure;
    }
  /** The lock was acquired, or it was not. */
  | { readonly type: 'lockSettled'; readonly attempt: number; readonly isHeld: boolean }
  | { readonly type: 'vaultRead'; readonly operation: number; readonly record: VaultRecord | null }
  | {
      readonly type: 'vaultWritten';
      readonly operation: number;
      readonly isSwapped: boolean;
      readonly record: VaultRecord | null;
    }
  /** A write succeeded after the machine had given it up. */
  | { readonly type: 'vaultWrittenLate'; readonly record: VaultRecord | null }
  | {
      readonly type: 'vaultUnavailable';
      readonly operation: number;
      /** Set if no retry cures it. */
      readonly error?: HoldfastError | null;
      readonly random: number;
    }
  | {
      readonly type: 'refreshAnswered';
      readonly attempt: number;
      readonly answer: TokenResult;
      readonly random: number;
    }
  | { readonly type: 'refreshFailed'; readonly attempt: number; readonly random: number };

/** The events of one type. */
export type Event<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>;

/** A token for one request, with its number and the user epoch it belongs to. */
export type GrantedToken = {
  readonly access: AccessToken;
  readonly tokenNumber: number;
  readonly userEpoch: number;
  /** The resource that the token was asked for; `null`: the session's ordinary token. */
  readonly resource: string | null;
};

/**
 * Requests to the shell. An effect without a reply says so. Every other effect ends in exactly one event that carries
 * its number, also when a port throws or never answers.
 */
export type Effect =
  | { readonly type: 'acquireLock'; readonly attempt: number; readonly waitMs: number; readonly level: number }
  /** Ends an attempt: releases its lock or stops waiting for one, and aborts an exchange under way. No reply. */
  | { readonly type: 'endRefresh'; readonly attempt: number }
  /** `isForRefresh`: a refresh request follows in the same task, so its DPoP proof is signed before the read. */
  | { readonly type: 'readVault'; readonly operation: number; readonly isForRefresh: boolean }
  /** The shell announces a successful write to the other tabs. */
  | {
      readonly type: 'writeVault';
      readonly operation: number;
      /** The vault's version that this tab knows. The write replaces no other record. */
      readonly version: number;
      readonly next: {
        readonly session: StoredSession | null;
        readonly endedReason: SignedOutReason | null;
        readonly endedAtMs: number | null;
      };
    }
  | {
      readonly type: 'sendRefresh';
      readonly attempt: number;
      readonly session: StoredSession;
      readonly isUserActive: boolean;
      /** The user asked to extend the session. */
      readonly isExtension: boolean;
      readonly resource: string | null;
    }
  /** Ends the session at the server, on a best-effort basis. No reply. */
  | { readonly type: 'revoke'; readonly session: StoredSession; readonly extent?: RevocationExtent | undefined }
  /** Authenticates without the user interface. Ends in `signedIn` or `reauthenticationFailed`. */
  | { readonly type: 'reauthenticate'; readonly stage: ReauthenticationStage }
  /** Settles a caller with a token, or the reason for having none. `null`: no token would help it. No reply. */
  | { readonly type: 'settle'; readonly caller: number; readonly settlement: GrantedToken | HoldfastErrorCode | null }
  /** For logs and panels. No reply. */
  | { readonly type: 'observe'; readonly observation: Observation };

/**
 * The sessions that a revocation ends. `everywhere`: all sessions of the user. `discard`: only that session, whose
 * sign-in lost to another one. Default: a sign-out, which ends the sessions of its device chain up to this one.
 */
export type RevocationExtent = 'everywhere' | 'discard';

/** An event for logs and panels. Never carries a token. */
export type Observation =
  | { readonly type: 'refresh.started'; readonly attempt: number; readonly cause: RefreshCause }
  | { readonly type: 'refresh.joined'; readonly attempt: number; readonly caller: number }
  /** The wait for the lock between tabs has ended, with or without the lock. */
  | { readonly type: 'refresh.locked'; readonly attempt: number; readonly waitedMs: number }
  | { readonly type: 'refresh.sent'; readonly attempt: number; readonly isUserActive: boolean }
  | { readonly type: 'refresh.adopted'; readonly attempt: number }
  | {
      readonly type: 'refresh.succeeded';
      readonly attempt: number;
      readonly durationMs: number;
      readonly isRotated: boolean;
    }
  | {
      readonly type: 'refresh.failed';
      readonly attempt: number;
      readonly cause: TransientCause | 'vault-unavailable' | 'answer-mismatch';
      readonly retryInMs: number;
    }
  | { readonly type: 'refresh.rejected'; readonly attempt: number; readonly reason: RejectionReason }
  | { readonly type: 'request.parked'; readonly caller: number; readonly parked: number }
  | { readonly type: 'request.released'; readonly caller: number }
  | { readonly type: 'request.failed'; readonly caller: number; readonly code: HoldfastErrorCode }
  | { readonly type: 'token.refused'; readonly tokenNumber: number }
  /** A request that was answered 401 was sent again with this token. */
  | { readonly type: 'request.resent'; readonly tokenNumber: number }
  /** A stored session was adopted: at launch, or because another tab wrote it. */
  | { readonly type: 'session.adopted'; readonly from: 'storage' | 'another-tab' }
  | { readonly type: 'session.expiring'; readonly inMs: number }
  | {
      readonly type: 'reauthentication.required';
      readonly stage: ReauthenticationStage;
      readonly reason: ReauthenticationReason | 'step-up';
    }
  | {
      readonly type: 'reauthentication.failed';
      readonly stage: ReauthenticationStage;
      readonly why: ReauthenticationFailure;
    }
  | { readonly type: 'signed-in' }
  | { readonly type: 'signed-out'; readonly reason: SignedOutReason }
  | { readonly type: 'vault.unavailable' };
