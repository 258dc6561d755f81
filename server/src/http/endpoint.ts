import type { HttpRequest, HttpResponse } from '../kernel/http-message.ts';
import { toPlainText } from '../kernel/plain-text.ts';
import type { Client } from '../registrations/clients.ts';
import type { EndpointParts } from './endpoint-parts.ts';
import type { Parameters } from './form.ts';
import type { ResourceEndpoint } from './resource.ts';

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
