import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import { toPlainText } from '../kernel/plain-text.ts';
import type { Client } from '../registrations/clients.ts';
import type { Description } from './description.ts';
import type { EndpointParts } from './endpoint-parts.ts';
import type { Parameters } from './form.ts';
import type { Access } from './resource.ts';

/** The request that an operation answers, by kind of endpoint. `STEPS` in `pipeline.ts` has the steps of each kind. */
export type Calls = {
  /** A public document. */
  readonly document: DocumentRequest;
  /** An endpoint that takes a form from a client. */
  readonly form: FormRequest;
  /** An account endpoint of a signed-in user. It takes an access token and never a cookie. */
  readonly resource: Access;
  /** An endpoint that takes a form from an authenticated resource server. */
  readonly resource_server: ResourceServerRequest;
};

export type EndpointKind = keyof Calls;

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** One method of an endpoint. */
export type Operation<Call> = {
  readonly description: Description;
  /**
   * True if the request may arrive as TLS early data, which anyone on the network path can replay (RFC 8470). Default:
   * only for GET.
   */
  readonly isRepeatable?: boolean;
  /** @throws OAuthError, HoldfastServerError */
  readonly answer: (call: Call, parts: EndpointParts) => HttpResponse | Promise<HttpResponse>;
};

export type Methods<Call> = Readonly<Partial<Record<Method, Operation<Call>>>>;

/** The address of an endpoint. */
export type Route = {
  /** The registered path; its last segment may be `{id}`. */
  readonly path: string;
  /** True if the endpoint uses or sets cookies, for clients that use cookies. Default: false. */
  readonly hasCookies?: boolean;
};

/** One endpoint: its route, and an operation for each method that it accepts. */
export type Endpoint<Kind extends EndpointKind = EndpointKind> = {
  [Each in Kind]: Route & { readonly kind: Each; readonly methods: Methods<Calls[Each]> };
}[Kind];

export type DocumentRequest = {
  readonly request: HttpRequest;
  readonly client: null;
};

/** A form from a registered client. */
export type FormRequest = {
  readonly request: HttpRequest;
  readonly parameters: Parameters;
  readonly client: Client;
};

/** A form from an authenticated resource server. */
export type ResourceServerRequest = {
  readonly request: HttpRequest;
  readonly parameters: Parameters;
  /** Id of the resource server. */
  readonly id: string;
  readonly client: null;
};

/** Longest user agent that the session list keeps, in UTF-16 code units. */
const USER_AGENT_LENGTH = 256;

/** Reads the peer's address and user agent for the session list. */
export function peerOf({ headers, remoteAddress }: HttpRequest): {
  readonly address: string;
  readonly userAgent: string;
} {
  return { address: remoteAddress, userAgent: toPlainText(headers['user-agent'], USER_AGENT_LENGTH) };
}
