import { json } from '../answers.ts';
import { jsonBody } from '../description.ts';
import type { Endpoint } from '../endpoint.ts';
import { AUTHORIZE_CHALLENGE_ENDPOINT } from '../endpoints/authorize-challenge-endpoint.ts';
import { JWKS_ENDPOINT, METADATA_ENDPOINT, RESOURCE_METADATA_ENDPOINT } from '../endpoints/documents.ts';
import { INTROSPECTION_ENDPOINT } from '../endpoints/introspection-endpoint.ts';
import { HEALTH_ENDPOINT, METRICS_ENDPOINT, READINESS_ENDPOINT } from '../endpoints/operation-endpoints.ts';
import { PASSKEY_ENDPOINT, PASSKEY_OPTIONS_ENDPOINT, PASSKEYS_ENDPOINT } from '../endpoints/passkeys-endpoint.ts';
import { PASSWORD_ENDPOINT } from '../endpoints/password-endpoint.ts';
import { REVOCATION_ENDPOINT } from '../endpoints/revocation-endpoint.ts';
import { REVOCATIONS_ENDPOINT } from '../endpoints/revocations-endpoint.ts';
import { SESSION_ENDPOINT, SESSIONS_ENDPOINT } from '../endpoints/sessions-endpoint.ts';
import { TOKEN_ENDPOINT } from '../endpoints/token-endpoint.ts';
import { describeApi } from './openapi.ts';

/**
 * Serves the description of every endpoint, for readers and code generators.
 *
 * @see OpenAPI 3.1
 */
const OPENAPI_ENDPOINT: Endpoint<'document'> = {
  kind: 'document',
  path: '/openapi.json',
  methods: {
    GET: {
      description: {
        operationId: 'openapi',
        summary: 'This document',
        responses: { 200: jsonBody('OpenAPI 3.1', { type: 'object' }) },
      },
      answer: (_call, { issuer }) =>
        json(200, describeApi(issuer, ENDPOINTS), {
          'cache-control': 'public, max-age=300',
          'access-control-allow-origin': '*',
        }),
    },
  },
};

/** Every endpoint. The router and the OpenAPI document read it. */
export const ENDPOINTS: readonly Endpoint[] = [
  TOKEN_ENDPOINT,
  AUTHORIZE_CHALLENGE_ENDPOINT,
  REVOCATION_ENDPOINT,
  INTROSPECTION_ENDPOINT,
  REVOCATIONS_ENDPOINT,
  SESSIONS_ENDPOINT,
  SESSION_ENDPOINT,
  PASSKEYS_ENDPOINT,
  PASSKEY_OPTIONS_ENDPOINT,
  PASSKEY_ENDPOINT,
  PASSWORD_ENDPOINT,
  JWKS_ENDPOINT,
  METADATA_ENDPOINT,
  RESOURCE_METADATA_ENDPOINT,
  OPENAPI_ENDPOINT,
  HEALTH_ENDPOINT,
  READINESS_ENDPOINT,
  METRICS_ENDPOINT,
];
