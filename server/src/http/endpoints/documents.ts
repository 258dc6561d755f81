import { PROOF_ALGORITHMS } from '../../dpop/proof-key.ts';
import type { HttpResponse } from '../../kernel/http-message.ts';
import { ACR_VALUES } from '../../tokens/step-up.ts';
import { json } from '../answers.ts';
import { jsonBody } from '../description.ts';
import type { Endpoint } from '../endpoint.ts';
import { GRANTS } from '../grants/grants.ts';
import { RESOURCE_SERVER_AUTHENTICATION } from '../resource-server.ts';
import { RESOURCE_METADATA_PATH } from '../resource.ts';
import { AUTHORIZE_CHALLENGE_ENDPOINT } from './authorize-challenge-endpoint.ts';
import { INTROSPECTION_ENDPOINT } from './introspection-endpoint.ts';
import { REVOCATION_ENDPOINT } from './revocation-endpoint.ts';
import { TOKEN_ENDPOINT } from './token-endpoint.ts';

/**
 * Resource servers fetch these documents often. Keys change rarely, and a new key is published long before it signs.
 */
const CACHEABLE: HttpResponse['headers'] = {
  'cache-control': 'public, max-age=300',
  'access-control-allow-origin': '*',
};

/** @see RFC 7517 */
export const JWKS_ENDPOINT: Endpoint<'document'> = {
  kind: 'document',
  path: '/.well-known/jwks.json',
  methods: {
    GET: {
      description: {
        operationId: 'jwks',
        summary: 'The keys that access tokens are verified by',
        description: 'RFC 7517. A key is published before it signs and stays until its last token has expired.',
        responses: { 200: jsonBody('The key set', { type: 'object' }) },
      },
      answer: (_call, { signingKeys }) =>
        json(200, signingKeys.jwks(), { ...CACHEABLE, 'content-type': 'application/jwk-set+json' }),
    },
  },
};

/** @see RFC 8414 */
export const METADATA_ENDPOINT: Endpoint<'document'> = {
  kind: 'document',
  path: '/.well-known/oauth-authorization-server',
  methods: {
    GET: {
      description: {
        operationId: 'metadata',
        summary: 'What this server can do, and where',
        description: 'RFC 8414.',
        responses: { 200: jsonBody('The metadata', { type: 'object' }) },
      },
      answer: (_call, { issuer, clients, resourceServers }) => {
        const metadata = {
          issuer,
          token_endpoint: issuer + TOKEN_ENDPOINT.path,
          authorization_challenge_endpoint: issuer + AUTHORIZE_CHALLENGE_ENDPOINT.path,
          revocation_endpoint: issuer + REVOCATION_ENDPOINT.path,
          jwks_uri: issuer + JWKS_ENDPOINT.path,
          scopes_supported: [...new Set([...clients.values()].flatMap(({ scopes }) => [...scopes]))].toSorted(),
          response_types_supported: ['code'],
          grant_types_supported: GRANTS.map(({ grantType }) => grantType),
          code_challenge_methods_supported: ['S256'],
          token_endpoint_auth_methods_supported: ['none'],
          revocation_endpoint_auth_methods_supported: ['none'],
          ...(!resourceServers.isEmpty && {
            introspection_endpoint: issuer + INTROSPECTION_ENDPOINT.path,
            introspection_endpoint_auth_methods_supported: RESOURCE_SERVER_AUTHENTICATION,
          }),
          dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
          acr_values_supported: ACR_VALUES,
          protected_resources: [issuer],
        };
        return json(200, metadata, CACHEABLE);
      },
    },
  },
};

/**
 * Describes the account endpoints as a protected resource. Clients request their tokens with `resource`.
 *
 * @see RFC 9728
 */
export const RESOURCE_METADATA_ENDPOINT: Endpoint<'document'> = {
  kind: 'document',
  path: RESOURCE_METADATA_PATH,
  methods: {
    GET: {
      description: {
        operationId: 'resourceMetadata',
        summary: 'The audience of the account endpoints',
        description: 'RFC 9728. Ask for a token with this `resource` before you call an account endpoint.',
        responses: { 200: jsonBody('The metadata', { type: 'object' }) },
      },
      answer: (_call, { issuer }) =>
        json(
          200,
          {
            resource: issuer,
            authorization_servers: [issuer],
            bearer_methods_supported: ['header'],
            dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
          },
          CACHEABLE,
        ),
    },
  },
};
