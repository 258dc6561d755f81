/**
 * What happened, as typed facts for logs, metrics, alarms, webhooks and the audit log. Ids, reasons, counts and addresses;
 * never a token, a password or a key.
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
  /** Beyond the number of chains of a user, or of sessions of a chain. */
  | 'limit'
  | 'code_reused'
  /** The user ended it from another session. */
  | 'user'
  | 'password_changed'
  | 'user_disabled'
  | 'user_deleted';

/** The reason for the end of a session: the protocol's own, or another one that an administrator gives. */
export type RevocationReason = ProtocolReason | (string & {});

/** Facts that the server reports, told apart by `type`. {@link HoldfastEvent} adds the time. */
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
 * - `replayed`: the newest generation was handed out again, its first answer having been lost or raced.
 * - `access_token_alone`: nothing was handed out; the client keeps the copy it has.
 * - `healed`: the database had lost writes and went on from the token. Worth an alarm.
 */
export type TokenRefreshed = {
  readonly type: 'refresh.answered';
  readonly outcome: 'rotated' | 'replayed' | 'access_token_alone' | 'healed';
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
  /** The session's generation after this refresh. */
  readonly generation: number;
};

/** A refresh was refused for good: `reason` is the machine-readable one of the answer. `sid` is null for garbage. */
export type RefreshRefused = {
  readonly type: 'refresh.refused';
  readonly sid: string | null;
  readonly clientId: string;
  readonly error: string;
  readonly reason: string;
  readonly address: string;
};

/** A refresh was told to come back later (429), because two copies of one generation met within an interval. */
export type RefreshDelayed = {
  readonly type: 'refresh.delayed';
  readonly sid: string;
  readonly clientId: string;
  readonly retryAfterMs: number;
  readonly address: string;
};

/**
 * One generation was handed out so often that from now on it is handed out more rarely: its answers are lost on their way, or
 * its holder never uses them. Worth an alarm when there are many.
 */
export type RedeliveryPaced = {
  readonly type: 'refresh.redelivery_paced';
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
  readonly generation: number;
  readonly redeliveries: number;
};

/** A session ended. With reason `reuse` two holders of one chain were found: worth an alarm. */
export type SessionRevoked = {
  readonly type: 'session.revoked';
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
  readonly reason: RevocationReason;
  /** Where the request that ended it came from; null when no request did, as with an administrator's call. */
  readonly address: string | null;
};

/**
 * A session was used for the first time, and the earlier sessions of its device could not be ended: a row was held, or the
 * database did not answer. They live on until its next use. Worth a look when there are many.
 */
export type PredecessorsKept = {
  readonly type: 'session.predecessors_kept';
  readonly sid: string;
  readonly sub: string;
  readonly clientId: string;
};

/** A password was wrong, or its user unknown: the event does not say which. */
export type SignInFailed = {
  readonly type: 'sign_in.failed';
  readonly clientId: string;
  readonly address: string;
};

/** A password was not even checked, because too many were wrong before: for the account or from the address. */
export type SignInDelayed = {
  readonly type: 'sign_in.delayed';
  readonly clientId: string;
  readonly address: string;
  readonly retryAfterMs: number;
};

/**
 * A sign-in with the right credential or code was refused (429, `sign_in_rate`), because its account signs in too often: somebody
 * who knows the password may be making sessions, or a client asks for it again and again. Worth an alarm.
 */
export type SignInRateExceeded = {
  readonly type: 'sign_in.rate_exceeded';
  readonly sub: string;
  readonly clientId: string;
  readonly address: string;
  readonly retryAfterMs: number;
};

/**
 * Events of one kind that the audit log did not keep one by one, because anybody can cause them without end: so many more in
 * this node's last minute. Listeners were told of each; the audit log and the webhooks get this sum.
 */
export type EventsCounted = {
  readonly type: 'events.counted';
  /** The kind that was counted, such as `sign_in.failed`. */
  readonly counted: HoldfastFact['type'];
  readonly count: number;
  /** How many networks they came from: IPv4 addresses, and /64 of IPv6. At most 1,000 are told apart. */
  readonly networks: number;
  /** When the first of the minute happened: wall clock of this host, in milliseconds since the epoch. */
  readonly sinceMs: number;
};

/** A way to sign in was added, changed or removed: worth telling the user. `sid` is null when an administrator did it. */
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
 * A passkey's signature counter did not grow: its key may have been copied, or its authenticator counts badly. A signal of
 * risk and no more; the sign-in went on.
 *
 * @see WebAuthn Level 3 §6.1.1
 */
export type PasskeyCounterRegressed = {
  readonly type: 'passkey.counter_regressed';
  readonly sub: string;
  /** Base64url. */
  readonly credentialId: string;
};

/** A token had a genuine tag and a wrong secret: somebody may hold the master secret without the database. */
export type SecretMismatched = {
  readonly type: 'refresh.secret_mismatched';
  readonly sid: string;
  readonly address: string;
};

/** Why a DPoP proof was refused. The answer only says `invalid_dpop_proof`. */
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

/** A DPoP proof was invalid: a faulty client, or somebody who repeats or alters proofs. Nothing changed. */
export type ProofRefused = {
  readonly type: 'proof.refused';
  readonly path: string;
  readonly fault: ProofFault;
};

/** A token of the right form named a server key that this node does not have: garbage, or nodes with different secrets. */
export type ServerKeyUnknown = {
  readonly type: 'server_key.unknown';
};

/** An event was not delivered to a webhook, after as many attempts as there are: look at the endpoint, then send it again. */
export type WebhookAbandoned = {
  readonly type: 'webhook.abandoned';
  readonly endpoint: string;
  readonly eventId: string;
  readonly attempts: number;
  readonly failure: string;
};

/** The database did not answer or its answer was in doubt; the caller was told 503. `sqlState` is PostgreSQL's code, if any. */
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
  /** `error` and `reason` of the answer, when it was an error. */
  readonly error: string | null;
  readonly reason: string | null;
};

/** How the parts of the server report a fact; adds the time and survives a listener that throws. */
export type Report = (fact: HoldfastFact) => void;
