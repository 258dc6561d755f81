import type { ProofVerifier } from '../dpop/dpop.ts';
import type { Report } from '../kernel/events.ts';
import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import type { KeyRing } from '../kernel/key-ring.ts';
import { toPlainText } from '../kernel/plain-text.ts';
import type { Policy } from '../kernel/policy.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { Operation } from '../operations/operation.ts';
import type { Client, Clients } from '../registrations/clients.ts';
import type { ResourceServers } from '../registrations/resource-servers.ts';
import type { AuthorizationCodes } from '../sessions/authorization-codes.ts';
import type { IntrospectionAnswer, IntrospectionRequest } from '../sessions/introspection.ts';
import type { RevocationFeed } from '../sessions/revocation-feed.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { SessionStore } from '../storage/store.ts';
import type { AccessTokens } from '../tokens/access-token.ts';
import type { Passkeys } from '../users/passkeys.ts';
import type { SignInRate } from '../users/sign-in-rate.ts';
import type { PasswordSignIn, Users } from '../users/users.ts';
import type { Parameters } from './form.ts';
import type { AddressLimit } from './rate-limit.ts';
import type { ResourceEndpoint } from './resource.ts';

/** The parts of the server that endpoints speak for. */
export type EndpointParts = {
  readonly issuer: string;
  readonly clients: Clients;
  readonly policy: Policy;
  readonly keyRing: KeyRing;
  readonly signingKeys: SigningKeys;
  readonly accessTokens: AccessTokens;
  readonly proofs: ProofVerifier;
  readonly codes: AuthorizationCodes;
  readonly sessions: Sessions;
  readonly resourceServers: ResourceServers;
  readonly introspect: (request: IntrospectionRequest) => Promise<IntrospectionAnswer>;
  readonly revocations: RevocationFeed;
  readonly findLive: SessionStore['findLive'];
  readonly listSessions: SessionStore['listOfUser'];
  readonly labelSession: SessionStore['label'];
  readonly users: Users;
  readonly passwordSignIn: PasswordSignIn;
  readonly passkeys: Passkeys;
  readonly signInRate: SignInRate;
  readonly addressLimit: AddressLimit;
  readonly report: Report;
  readonly operation: Operation;
};

/** A document that anybody may read. */
export type DocumentEndpoint = {
  readonly kind: 'document';
  readonly path: string;
  /** @throws OAuthError, HoldfastError */
  readonly answer: (parts: EndpointParts, request: HttpRequest) => HttpResponse | Promise<HttpResponse>;
};

/** What a client posts a form to. */
export type FormEndpoint = {
  readonly kind: 'form';
  readonly path: string;
  /** Whether it uses or sets cookies for clients that have them. */
  readonly hasCookies: boolean;
  /** Whether a request may arrive as TLS early data, which anybody on the path can repeat (RFC 8470). */
  readonly isRepeatable: boolean;
  /** @throws OAuthError, HoldfastError */
  readonly answer: (form: FormRequest, parts: EndpointParts) => Promise<HttpResponse>;
};

/** What a resource server posts a form to, as itself. */
export type ResourceServerEndpoint = {
  readonly kind: 'resource_server';
  readonly path: string;
  /** @throws OAuthError, HoldfastError */
  readonly answer: (form: ResourceServerRequest, parts: EndpointParts) => Promise<HttpResponse>;
};

export type Endpoint = DocumentEndpoint | FormEndpoint | ResourceEndpoint | ResourceServerEndpoint;

/** A form of a resource server that has authenticated. */
export type ResourceServerRequest = {
  readonly request: HttpRequest;
  readonly parameters: Parameters;
  /** Which one it is. */
  readonly id: string;
};

/** A form that has passed the router's checks. */
export type FormRequest = {
  readonly request: HttpRequest;
  readonly parameters: Parameters;
  readonly client: Client;
};

/** Longest user agent that the session list keeps, in UTF-16 code units. */
const USER_AGENT_LENGTH = 256;

/** Who is at the other end, for the session list. */
export function peerOf({ headers, remoteAddress }: HttpRequest): {
  readonly address: string;
  readonly userAgent: string;
} {
  return { address: remoteAddress, userAgent: toPlainText(headers['user-agent'], USER_AGENT_LENGTH) };
}
