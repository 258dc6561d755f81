import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Pool } from 'pg';
import type { AccessTokenVerdict } from './access-token.ts';
import type { ClientRegistration } from './clients.ts';
import type { HoldfastEvent, RevocationReason } from './events.ts';
import type { HttpRequest, HttpResponse } from './http/message.ts';
import type { Policy } from './policy.ts';
import type { Users } from './users.ts';

/** Where messages for operators go. pino fits as it is. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface HoldfastOptions {
  /** Where clients reach this server: an origin without a path, such as `https://id.example`. */
  readonly issuer: string;
  /** `postgres://…`. The role must be allowed to create the schema `holdfast` when it is missing. */
  readonly databaseUrl: string;
  /** Master secret, at least 32 bytes, the same on every node. Every key of the server is derived from it. */
  readonly secret: string;
  /**
   * Other master secrets whose tokens are still accepted. To roll over without signing anybody out: put the new secret
   * here on every node, then swap the two, and drop the old one when the absolute lifetime has passed.
   */
  readonly acceptedSecrets?: readonly string[];
  /** Master secrets that were given up: their refresh tokens are answered `invalid_grant`. */
  readonly retiredSecrets?: readonly string[];
  readonly clients: readonly ClientRegistration[];
  /** Durations and limits; see {@link DEFAULT_POLICY}. */
  readonly policy?: Partial<Policy>;
  /** `aud` of access tokens. Default: the issuer. */
  readonly audience?: string;
  /** Called for every fact, synchronously; what it throws is logged and changes nothing. */
  readonly onEvent?: (event: HoldfastEvent) => void;
  /** Default: pino on standard output, warnings and errors. */
  readonly logger?: Logger;
}

export interface SessionAdministration {
  /**
   * Ends a session: its refresh tokens are refused from now on; its last access token lives to its own expiry.
   *
   * @returns false when there is no such live session
   * @throws HoldfastError `unavailable`
   */
  revoke(sid: string, reason?: RevocationReason): Promise<boolean>;
  /**
   * Ends every live session of a user.
   *
   * @returns how many ended
   * @throws HoldfastError `unavailable`
   */
  revokeAllOfUser(sub: string, reason?: RevocationReason): Promise<number>;
}

/** A running server. Several of them, in one process or many, may share a database. */
export interface Holdfast {
  /** Answers a request to one of our endpoints; null when the path is not ours. Never throws. */
  readonly handle: (request: HttpRequest) => Promise<HttpResponse | null>;
  /** For node:http, Express and the like. Mount it before anything that reads bodies. Without `next` an unknown path is 404. */
  readonly listener: (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;
  /** For web-standard hosts. An unknown path is 404. */
  readonly fetch: (request: Request, info?: { readonly remoteAddress?: string }) => Promise<Response>;
  /**
   * Verifies the access token in an `Authorization` header.
   *
   * @throws HoldfastError `unavailable`, when an unknown signing key could not be looked up
   */
  readonly verifyAccessToken: (authorizationHeader: string | undefined) => Promise<AccessTokenVerdict>;
  readonly users: Users;
  readonly sessions: SessionAdministration;
  /** Pool for durable work, for tables of your own beside ours. */
  readonly database: Pool;
  /** Refuses new requests with 503, waits for those under way, then closes the database connections. Idempotent. */
  readonly close: () => Promise<void>;
}

/**
 * Starts a server: migrates the database, loads or creates the signing keys.
 *
 * @throws TypeError for a wrong option
 * @throws HoldfastError `unavailable`, `secret_mismatch`, `schema_too_new`
 */
export async function createHoldfast(options: HoldfastOptions): Promise<Holdfast> {
  throw new TypeError(`${typeof options}: not built yet`);
}
