import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import { toPlainText } from '../kernel/plain-text.ts';
import type { Client } from '../registrations/clients.ts';
import type { EndpointParts } from './endpoint-parts.ts';
import type { Parameters } from './form.ts';
import type { ResourceEndpoint } from './resource.ts';

/** A public document. */
export type DocumentEndpoint = {
  readonly kind: 'document';
  readonly path: string;
  /** @throws OAuthError, HoldfastError */
  readonly answer: (parts: EndpointParts, request: HttpRequest) => HttpResponse | Promise<HttpResponse>;
};

/** An endpoint that takes a form from a client. */
export type FormEndpoint = {
  readonly kind: 'form';
  readonly path: string;
  /** True if the endpoint uses or sets cookies, for clients that use cookies. */
  readonly hasCookies: boolean;
  /** True if the request may arrive as TLS early data, which anyone on the network path can replay (RFC 8470). */
  readonly isRepeatable: boolean;
  /** @throws OAuthError, HoldfastError */
  readonly answer: (form: FormRequest, parts: EndpointParts) => Promise<HttpResponse>;
};

/** An endpoint that takes a form from an authenticated resource server. */
export type ResourceServerEndpoint = {
  readonly kind: 'resource_server';
  readonly path: string;
  /** @throws OAuthError, HoldfastError */
  readonly answer: (form: ResourceServerRequest, parts: EndpointParts) => Promise<HttpResponse>;
};

export type Endpoint = DocumentEndpoint | FormEndpoint | ResourceEndpoint | ResourceServerEndpoint;

/** A form from an authenticated resource server. */
export type ResourceServerRequest = {
  readonly request: HttpRequest;
  readonly parameters: Parameters;
  /** Id of the resource server. */
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

/** Reads the peer's address and user agent for the session list. */
export function peerOf({ headers, remoteAddress }: HttpRequest): {
  readonly address: string;
  readonly userAgent: string;
} {
  return { address: remoteAddress, userAgent: toPlainText(headers['user-agent'], USER_AGENT_LENGTH) };
}
