import type { HoldfastError, HoldfastErrorCode } from './errors.ts';
import type { Instant } from './instant.ts';
import type { AccessToken, Signal, SignedOutReason, StoredSession, VaultRecord } from './ports.ts';
import type { RejectionReason, TokenAnswer, TransientCause } from './token-result.ts';

/** Why a refresh was started. */
export type RefreshCause = 'restored' | 'proactive' | 'expired' | 'refused' | 'extend' | 'resource';

/** How sure we are of a session: answered by the server, only read from the vault, or out of reach of the server. */
export type Freshness = 'verified' | 'restored' | 'offline';

/** A means of authenticating again, in the order in which they are tried. */
export type ReauthenticationStage = 'biometric' | 'password';

/** Why the user has to authenticate again. */
export type ReauthenticationReason = RejectionReason | 'storage-lost';

/** Why a stage of the chain did not help. */
export type ReauthenticationFailure = 'unavailable' | 'cancelled' | 'failed';

/** A walk along the chain of reauthentication. */
export type Chain = {
  readonly stage: ReauthenticationStage;
  readonly laterStages: readonly ReauthenticationStage[];
  readonly failed: readonly { readonly stage: ReauthenticationStage; readonly why: ReauthenticationFailure }[];
};

/** A resource asked for a fresher or stronger authentication than the session has. @see RFC 9470 §3 */
export type StepUp = { readonly acrValues: string | null; readonly maxAgeSeconds: number | null };

/** Somebody who waits for an access token. The promise lives in the shell; here is only its number. */
export type Waiter = {
  readonly caller: number;
  /** The caller has seen this generation fail (or has none: 0); only a newer one helps. Infinity: only a sign-in does. */
  readonly newerThan: number;
  /** Monotonic time at which the caller gives up, in ms. */
  readonly deadlineMs: number;
  /** Whose request this is: `SessionState.owner` when it was made. Never settled with another user's token. */
  readonly owner: number;
  /** The request has failed while the platform said that there is no network: it is sent again when there is one. */
  readonly isForNetwork: boolean;
  /** Monotonic time at which it waits for that no longer, in ms: the platform may be wrong. */
  readonly pauseUntilMs: number;
  readonly stepUp: StepUp | null;
  /** The token is to be for this resource; `null`: the session's ordinary token. @see RFC 8707 */
  readonly resource: string | null;
};

/** The outcome of a request that carried a token. */
export type Trial = {
  /** The token that it carried. */
  readonly generation: number;
  /** The generation that the try before carried and that was refused; `null`: this was the first try. */
  readonly before: number | null;
  readonly origin: string;
  /** Origin and path. */
  readonly url: string;
  /** `bare`: a 401 that does not say that the token is to blame. @see RFC 6750 §3.1 */
  readonly verdict: 'accepted' | 'bare' | 'refused';
  /**
   * How far the time at which the token says that it was issued is ahead of the resource's clock, in ms; `null`: that clock cannot
   * be read; `NaN`: the token does not say, or it was accepted.
   */
  readonly aheadMs: number | null;
};

/** Refusals of the token endpoint, one after another: no retry may cure them. */
export type Refusal = {
  /** Monotonic time of the first one, in ms. */
  readonly sinceMs: number;
  /** The last one, as the server put it. */
  readonly words: string;
  /** They have lasted for so long that the user had better be asked. */
  readonly isDoubtful: boolean;
};

/** The session as this tab holds it. */
export type Held = {
  readonly stored: StoredSession;
  readonly access: AccessToken | null;
  /** A resource has said that `access` is invalid: do not use it again. */
  readonly isRefused: boolean;
  readonly freshness: Freshness;
  /** When the session ends unless it is renewed; `null` if unknown. */
  readonly endsAt: Instant | null;
  /** The token ends with the session, and the last refresh did not move that end: without the user another one would not. */
  readonly isFinal: boolean;
  /** How many of `policy.expiryWarningsMs` have been given. */
  readonly warningsGiven: number;
  /**
   * Nothing was stored that could be read, but a cookie may be there: the server is asked, and nobody is shown anything until
   * it answers. This is what is said if it knows nobody either; `null`: a session that is known.
   */
  readonly probe: SignedOutReason | null;
};

/** There is a session. */
export type Active = { readonly kind: 'active' } & Held;

/** Where the session is. */
export type Phase =
  | { readonly kind: 'restoring' }
  | { readonly kind: 'signed-out'; readonly reason: SignedOutReason }
  | Active
  | { readonly kind: 'reauth-required'; readonly stored: StoredSession; readonly reason: ReauthenticationReason };

/** What a refresh is doing. Each step waits for exactly one event, or for its deadline. */
export type FlightStep =
  /** `level`: which of the locks it waits for, from 0 on. */
  | { readonly kind: 'locking'; readonly level: number }
  | { readonly kind: 'reading' }
  /** `sent`: the refresh token in the request; `null`: a cookie. */
  | { readonly kind: 'requesting'; readonly sentAt: Instant; readonly stamp: number; readonly sent: string | null }
  | {
      readonly kind: 'committing';
      readonly held: Held;
      /** The token that the answer brought. */
      readonly access: AccessToken | null;
      readonly stamp: number;
      readonly sent: string | null;
    }
  /** The server said no, or wait: it may have been about a token that another tab has replaced. */
  | { readonly kind: 'rereading'; readonly stamp: number; readonly answer: Exclude<TokenAnswer, { kind: 'tokens' }> };

/** The one refresh under way. */
export type Flight = {
  readonly attempt: number;
  readonly cause: RefreshCause;
  /** The access token that it is to replace. */
  readonly generation: number;
  /** It asks for a token for this resource, and leaves the session's ordinary token as it is; `null`: it replaces that one. */
  readonly resource: string | null;
  readonly startedAt: Instant;
  /** The current step is given up at this moment, by whichever clock reaches it. */
  readonly deadline: Instant;
  /** The request was repeated once with the nonce that the server asked for. */
  readonly hasNonce: boolean;
  /** The request said that the user is active; if it comes to nothing the next one has to. */
  readonly isUserActive: boolean;
  readonly step: FlightStep;
};

/**
 * No refresh before `until`, or before `parkedUntil` while requests are parked: an outage must not cost them much more than it
 * lasts. A wait that the server asked for is not cut short when the network comes back.
 */
export type Backoff = { readonly until: Instant; readonly parkedUntil: Instant; readonly isServerAsked: boolean };

/** What the vault does not know yet: a sign-out, or a session that could not be written when it came. */
export type Unwritten = {
  /** The write under way; `null` while it waits for its next try at `retryAt`. */
  readonly operation: number | null;
  readonly retryAt: Instant | null;
  /** `null`: a tombstone, for `reason`. */
  readonly session: StoredSession | null;
  readonly reason: SignedOutReason | null;
  /** When the sessions that a tombstone ends were ended, in wall ms; `null` for a session. */
  readonly endedAtMs: number | null;
  /** The user signed in or out: what other tabs make of the sessions that were left (`over`, by name) does not matter any more. */
  readonly isUsersWill: boolean;
  readonly over: readonly string[];
};

/** The whole state of the machine. It holds tokens: show people and logs `describe(state)` only. */
export type SessionState = {
  readonly phase: Phase;
  /** How the user is asked to authenticate again: the session has ended, or a resource wants a `stepUp` while all else goes on. */
  readonly chain: (Chain & { readonly stepUp: StepUp | null }) | null;
  /** The vault's stamp that `phase` reflects; 0 while nothing was ever stored. */
  readonly stamp: number;
  /** Changes whenever somebody else may be signed in than before. What was made under one owner is never sent under another. */
  readonly owner: number;
  /** Counts the access tokens this tab has held: a request remembers which one it carried. */
  readonly generation: number;
  /** Monotonic time since which the newest of them is held, in ms. */
  readonly tokenSinceMs: number;
  /** Verdicts of resources on tokens, and until when each counts, in monotonic ms. */
  readonly verdicts: Readonly<Record<string, number>>;
  readonly waiting: readonly Waiter[];
  /** Requests that came when the store was not known: they are looked at once it was read. */
  readonly asking: readonly Waiter[];
  /** Until then the store holds what this process has seen in it. Later it is read before a token is handed out. */
  readonly knownUntil: Instant;
  readonly flight: Flight | null;
  /** A sign-in or adoption that is being stored before anybody sees it. */
  readonly storing: { readonly operation: number; readonly held: Held; readonly over: readonly string[] } | null;
  /** A read of the vault: to restore, or because another tab may have written to it. */
  readonly syncing: number | null;
  /** When the vault has to be read next for one of these reasons; `null`: no need. While it is read: when its answer is too old. */
  readonly syncAt: Instant | null;
  /** What this tab knows and the vault does not: it is written as soon as it can be. */
  readonly unwritten: Unwritten | null;
  /** The vault's last answer, if it was an error that no retry cures; `null`: it may be read, or can be soon. */
  readonly vaultError: HoldfastError | null;
  /** A refresh that was asked for whatever the token's age. */
  readonly wanted: RefreshCause | null;
  readonly backoff: Backoff | null;
  readonly failures: number;
  /** Caps refreshes whatever the server answers: one more is paid for until this monotonic time, in ms, and a burst ahead of it. */
  readonly paidUntilMs: number;
  /** The user did something since the last refresh that said so. */
  readonly isUserActive: boolean;
  /** The platform says that there is no network. It may be wrong, so no refresh is held back for it, and any answer overrules it. */
  readonly isOffline: boolean;
  /** A refresh or a request has failed for an outage, and nothing has answered since: the first answer ends the back-off, once. */
  readonly isUnreached: boolean;
  /** Tokens for other audiences than the session's ordinary one, by resource. They go whenever the session's state is taken anew. */
  readonly resourceTokens: Readonly<Record<string, AccessToken>>;
  /** The server refuses to renew the session, in words that do not end it, and has not renewed it since. */
  readonly refusal: Refusal | null;
  /** A number in [0, 1) that spreads the proactive refreshes of tabs; another one for each token. */
  readonly jitter: number;
  /** How many refreshes were started; each is known by its number, and so are its operations on the vault. */
  readonly attempts: number;
  /** How many other operations were started; they are numbered downwards from -1, so that a late answer is told from a current one. */
  readonly operations: number;
};

/** What the machine needs to know besides its policy. */
export type MachineConfig = {
  /** Where the refresh token is: in a cookie that no script reads, or with the session. */
  readonly delivery: 'cookie' | 'body';
  readonly scope: string | null;
  readonly stages: readonly ReauthenticationStage[];
  /** Stages that start by themselves; the others wait for the user interface. */
  readonly automaticStages: readonly ReauthenticationStage[];
  /** Nobody reports user activity here, so every refresh counts as the user's. */
  readonly isUserActive: boolean;
  /** For how long a look into the store counts, in ms. `Infinity`: the platform notices every change. */
  readonly storeKnownMs: number;
};

/** Facts. Effects end in exactly one of the events that carry their `attempt` or `operation`. */
export type SessionEvent =
  /** Nothing has happened but time. */
  | { readonly type: 'woke' }
  | { readonly type: 'signalled'; readonly signal: Signal }
  | {
      readonly type: 'tokenRequested';
      readonly caller: number;
      readonly newerThan: number;
      /** Whose request it is, if it was sent before; `null`: the current user's. */
      readonly owner: number | null;
      /** ms from now */
      readonly deadlineMs: number;
      /** The fresher or stronger authentication that its resource wants: the session stays, only this caller waits for a sign-in. */
      readonly stepUp: StepUp | null;
      /** Its request has failed on the way: with no network it waits for one, but for `pauseMs` at most. */
      readonly isForNetwork: boolean;
      readonly pauseMs: number;
      /** Its request was answered 401. */
      readonly refusal: Trial | null;
      readonly resource: string | null;
    }
  /** A resource has taken a token, or refused a request that cannot be sent again. */
  | { readonly type: 'tokenTried'; readonly trial: Trial }
  /** A request to a resource got no answer. */
  | { readonly type: 'requestLost' }
  | { readonly type: 'callerLeft'; readonly caller: number }
  | { readonly type: 'extendRequested' }
  | { readonly type: 'signedIn'; readonly held: Held }
  /** `extent`: the user's other sessions are to end as well. */
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
      readonly isReplaced: boolean;
      readonly record: VaultRecord | null;
    }
  /** A write that had been given up has replaced what was there. */
  | { readonly type: 'vaultWrittenLate'; readonly record: VaultRecord | null }
  | {
      readonly type: 'vaultUnavailable';
      readonly operation: number;
      /** Why, if no retry cures it. */
      readonly error?: HoldfastError | null;
      readonly random: number;
    }
  | {
      readonly type: 'refreshAnswered';
      readonly attempt: number;
      readonly answer: TokenAnswer;
      readonly random: number;
    }
  | { readonly type: 'refreshFailed'; readonly attempt: number; readonly random: number };

/** The events of one type. */
export type Event<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>;

/** A token for one request, which one it is, and whose. */
export type GrantedToken = {
  readonly access: AccessToken;
  readonly generation: number;
  readonly owner: number;
  /** The resource that the token was asked for; `null`: the session's ordinary token. */
  readonly resource: string | null;
};

/**
 * Requests to the shell. Those without a reply say so; every other one ends in exactly one event that carries its number,
 * also when a port throws or never answers.
 */
export type Effect =
  | { readonly type: 'acquireLock'; readonly attempt: number; readonly waitMs: number; readonly level: number }
  /** Ends an attempt: its lock, held or still waited for, is given up, and an exchange that is still out is aborted. No reply. */
  | { readonly type: 'endRefresh'; readonly attempt: number }
  /** `isForRefresh`: a refresh request follows in the same task, so what it needs besides is made before the read. */
  | { readonly type: 'readVault'; readonly operation: number; readonly isForRefresh: boolean }
  /** What was written is announced to the other tabs. */
  | {
      readonly type: 'writeVault';
      readonly operation: number;
      /** The vault's stamp that this tab knows: what is written replaces nothing else. */
      readonly stamp: number;
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
  /** Ends the session at the server, as well as it can. No reply. */
  | { readonly type: 'revoke'; readonly session: StoredSession; readonly extent?: RevocationExtent | undefined }
  /** Authenticates without the user interface's help. Ends in `signedIn` or `reauthenticationFailed`. */
  | { readonly type: 'reauthenticate'; readonly stage: ReauthenticationStage }
  /** Gives a caller its token, or the reason why there is none. `null`: no other token would help it than the one refused. No reply. */
  | { readonly type: 'settle'; readonly caller: number; readonly settlement: GrantedToken | HoldfastErrorCode | null }
  /** For people who watch. No reply. */
  | { readonly type: 'observe'; readonly observation: Observation };

/**
 * How much a revocation ends. `everywhere`: all sessions of the user. `discard`: that session alone, a sign-in that lost to another.
 * Default: a sign-out, which ends the sessions of its device chain up to this one.
 */
export type RevocationExtent = 'everywhere' | 'discard';

/** What happened, for logs and panels. Never carries a token. */
export type Observation =
  | { readonly type: 'refresh.started'; readonly attempt: number; readonly cause: RefreshCause }
  | { readonly type: 'refresh.joined'; readonly attempt: number; readonly caller: number }
  /** The wait for the lock between tabs is over, with it or without. */
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
  | { readonly type: 'token.refused'; readonly generation: number }
  /** A request that was answered 401 was sent again, with this token. */
  | { readonly type: 'request.replayed'; readonly generation: number }
  /** What is stored was taken over: at launch, or because another tab wrote it. */
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
