/**
 * An event for logs, metrics, alarms, webhooks and the audit log. It holds ids, reasons, counts and addresses; never a
 * token, a password or a key.
 */
export type HoldfastEvent = HoldfastFact & {
  /** Wall clock of this host, in milliseconds since the epoch. */
  readonly atMs: number;
};

/** A reason of the protocol's own for the end of a session. */
export type ProtocolReason =
  | 'reuse'
  | 'replaced'
  | 'signed_out'
  /** A sign-in that lost to another tab of its device. */
  | 'discarded'
  /** The user had too many device chains, or the chain too many sessions. */
  | 'limit'
  | 'code_reused'
  /** The user ended it from another session. */
  | 'user'
  | 'password_changed'
  | 'user_disabled'
  | 'user_deleted';

/** The reason for the end of a session: the protocol's own, or another one that an administrator gives. */
export type RevocationReason = ProtocolReason | (string & {});

/** Facts that the server reports, distinguished by `type`. {@link HoldfastEvent} adds the time. */
export type HoldfastFact =
  | SessionCreated
  | TokenRefreshed
  | RefreshRefused
  | RefreshDelayed
  | RedeliveryPaced
  | SessionRevoked
  | PredecessorsKept
  | SignInFailed
  | SignInDelayed
  | SignInRateExceeded
  | EventsCounted
  | CredentialChanged
  | UserChanged
  | PasskeyCounterRegressed
  | SecretMismatched
  | ProofRefused
  | ServerKeyUnknown
  | WebhookAbandoned
  | DatabaseDoubted
  | RequestAnswered;

/** A sign-in was completed: a new session and its first tokens. */
export type SessionCreated = {
  readonly type: 'session.created';
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
  readonly replaces: string | null;
  readonly address: string;
};

/**
 * A refresh was answered with an access token.
 *
 * - `rotated`: the next generation was handed out.
 * - `redelivered`: the newest generation was handed out again, because its first answer was lost or two requests raced.
 * - `access_token_only`: no refresh token was handed out; the client keeps its copy.
 * - `healed`: the database had lost writes, and the session went on from the token. Alert on it.
 */
export type TokenRefreshed = {
  readonly type: 'refresh.answered';
  readonly outcome: 'rotated' | 'redelivered' | 'access_token_only' | 'healed';
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
  /** The session's generation after this refresh. */
  readonly generation: number;
};

/**
 * A refresh was refused. `reason` is that of the answer; `sid` is null if the token is malformed or its key is retired.
 */
export type RefreshRefused = {
  readonly type: 'refresh.refused';
  readonly sid: string | null;
  readonly clientId: string;
  readonly error: string;
  readonly reason: string;
  readonly address: string;
};

/** A refresh was answered 429 with `Retry-After`, because an older copy was presented within a rotation interval. */
export type RefreshDelayed = {
  readonly type: 'refresh.delayed';
  readonly sid: string;
  readonly clientId: string;
  readonly retryAfterMs: number;
  readonly address: string;
};

/**
 * One generation was handed out so often that the server now hands it out at longer intervals. The answers are lost, or
 * the client never uses them. Alert if there are many.
 */
export type RedeliveryPaced = {
  readonly type: 'refresh.redelivery_paced';
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
  readonly generation: number;
  readonly redeliveries: number;
};

/** A session ended. Reason `reuse` means that two holders used its refresh tokens: alert on it. */
export type SessionRevoked = {
  readonly type: 'session.revoked';
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
  readonly reason: RevocationReason;
  /** Address of the request that ended it; null if no request did, as in an administrator's call. */
  readonly address: string | null;
};

/**
 * The first use of a session could not end the earlier sessions of its device chain: another transaction held a row, or
 * the database did not answer. The next use tries again. Investigate if there are many.
 */
export type PredecessorsKept = {
  readonly type: 'session.predecessors_kept';
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
};

/** A password was wrong or its user unknown. The event does not say which. */
export type SignInFailed = {
  readonly type: 'sign_in.failed';
  readonly clientId: string;
  readonly address: string;
};

/** A password was refused unchecked, because the account or the address had too many wrong passwords before. */
export type SignInDelayed = {
  readonly type: 'sign_in.delayed';
  readonly clientId: string;
  readonly address: string;
  readonly retryAfterMs: number;
};

/**
 * A sign-in with the right credential or code was refused (429, `sign_in_rate`), because its account signs in too
 * often. An attacker may know the password, or a faulty client may repeat the sign-in. Alert on it.
 */
export type SignInRateExceeded = {
  readonly type: 'sign_in.rate_exceeded';
  readonly sub: string;
  readonly clientId: string;
  readonly address: string;
  readonly retryAfterMs: number;
};

/**
 * Count of events of one kind that the audit log did not keep one by one, because strangers or users can cause any
 * number of them. It covers one minute of one node. Listeners get each event; the audit log and the webhooks get this
 * sum.
 */
export type EventsCounted = {
  readonly type: 'events.counted';
  /** Kind of the counted events, such as `sign_in.failed`. */
  readonly counted: HoldfastFact['type'];
  readonly count: number;
  /** Number of networks that they came from: IPv4 addresses and IPv6 /64 prefixes. Counted up to 1,000. */
  readonly networks: number;
  /** Time of the first event of the minute: wall clock of this host, in milliseconds since the epoch. */
  readonly sinceMs: number;
};

/** A credential was added, changed or removed: notify the user. `sid` is null if an administrator did it. */
export type CredentialChanged = {
  readonly type: 'credential.changed';
  readonly sub: string;
  readonly sid: string | null;
  readonly change: 'password_changed' | 'password_removed' | 'passkey_added' | 'passkey_renamed' | 'passkey_removed';
};

/** An account was created, disabled, enabled or deleted. */
export type UserChanged = {
  readonly type: 'user.changed';
  readonly sub: string;
  readonly change: 'created' | 'disabled' | 'enabled' | 'deleted';
};

/**
 * A passkey's signature counter did not grow: its private key may have been copied, or its authenticator counts badly.
 * This is a risk signal only; the sign-in succeeded.
 *
 * @see WebAuthn Level 3 §6.1.1
 */
export type PasskeyCounterRegressed = {
  readonly type: 'passkey.counter_regressed';
  readonly sub: string;
  /** Base64url. */
  readonly credentialId: string;
};

/**
 * A refresh token had a genuine tag and a wrong secret: an attacker may have the master secret without the database.
 */
export type SecretMismatched = {
  readonly type: 'refresh.secret_mismatched';
  readonly sid: string;
  readonly address: string;
};

/** Check that a DPoP proof failed. The answer only says `invalid_dpop_proof`. */
export type ProofFault =
  | 'not_a_jwt'
  | 'typ'
  | 'alg'
  | 'crit'
  | 'jwk'
  | 'signature'
  | 'claims'
  | 'htm'
  | 'htu'
  | 'ath'
  | 'iat'
  | 'exp'
  | 'nbf'
  | 'replayed';

/**
 * A DPoP proof was invalid: the client is faulty, or an attacker repeats or alters proofs. The session is unchanged.
 */
export type ProofRefused = {
  readonly type: 'proof.refused';
  readonly path: string;
  readonly fault: ProofFault;
};

/**
 * A refresh token of the right form named a server key that this node lacks: garbage, or nodes with different secrets.
 */
export type ServerKeyUnknown = {
  readonly type: 'server_key.unknown';
};

/** An event was not delivered to a webhook and will not be tried again. Check the endpoint, then make it due again. */
export type WebhookAbandoned = {
  readonly type: 'webhook.abandoned';
  readonly endpoint: string;
  readonly eventId: string;
  readonly attempts: number;
  readonly failure: string;
};

/**
 * The database did not answer, or its answer was in doubt; the request was answered 503. `sqlState` is PostgreSQL's
 * code.
 */
export type DatabaseDoubted = {
  readonly type: 'database.doubted';
  readonly sqlState: string | null;
};

/** One HTTP request was answered. */
export type RequestAnswered = {
  readonly type: 'request.answered';
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** `error` and `reason` of an error answer; null otherwise. */
  readonly error: string | null;
  readonly reason: string | null;
};

/** Reports a fact to every listener, with the time added. A listener that throws does not stop it. */
export type Report = (fact: HoldfastFact) => void;
