/**
 * Claims of an access token.
 *
 * @see RFC 9068 §2.2
 */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly client_id: string;
  /** The session, as a UUID. */
  readonly sid: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  readonly scope: string;
  readonly auth_time: number;
  readonly amr: readonly string[];
  readonly acr: string;
}

/** What a resource server learns about an `Authorization` header. */
export type AccessTokenVerdict =
  | { readonly ok: true; readonly claims: AccessTokenClaims }
  | {
      readonly ok: false;
      readonly status: 401;
      /** Value for `WWW-Authenticate` (RFC 6750 §3). */
      readonly wwwAuthenticate: string;
    };
