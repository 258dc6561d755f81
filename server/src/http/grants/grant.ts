import type { HttpResponse } from '../../kernel/http-message.ts';
import type { Fields } from '../description.ts';
import type { EndpointParts } from '../endpoint-parts.ts';
import type { FormRequest } from '../endpoint.ts';
import type { CookieJar } from '../refresh-cookies.ts';

/** One way to get tokens. The token endpoint, the metadata and the OpenAPI document read it. */
export type Grant = {
  /** Value of `grant_type`. */
  readonly grantType: string;
  /** True if a token response shows that the cookie's session is live. */
  readonly provesSession: boolean;
  /** Its own parameters. `grant_type` and `client_id` are those of every grant. */
  readonly fields: Fields;
  /**
   * Answers a request of a registered client.
   *
   * @param jar the refresh cookies of a client with cookies; empty for others
   * @throws OAuthError, HoldfastServerError
   */
  readonly answer: (form: FormRequest, jar: CookieJar, parts: EndpointParts) => Promise<HttpResponse>;
};
