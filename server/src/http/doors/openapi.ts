import { json } from '../answers.ts';
import type { DocumentEndpoint } from '../endpoint.ts';
import { OPERATIONS, SCHEMAS } from './openapi-operations.ts';

/**
 * Serves the description of every endpoint, for readers and code generators.
 *
 * @see OpenAPI 3.1
 */
export const OPENAPI_ENDPOINT: DocumentEndpoint = {
  kind: 'document',
  path: '/openapi.json',
  answer: ({ issuer }) =>
    json(200, describeApi(issuer), { 'cache-control': 'public, max-age=300', 'access-control-allow-origin': '*' }),
};

export function describeApi(issuer: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version: '0',
      summary: 'OAuth 2.0 token endpoint with refresh token rotation that never loses an honest user',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: issuer }],
    paths: OPERATIONS,
    components: { schemas: SCHEMAS, securitySchemes: SECURITY_SCHEMES },
  };
}

const SECURITY_SCHEMES = {
  accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token of this server' },
  resourceServerBasic: { type: 'http', scheme: 'basic', description: 'Id and secret of a resource server' },
  resourceServerBearer: { type: 'http', scheme: 'bearer', description: 'Secret of a resource server' },
  metricsToken: { type: 'http', scheme: 'bearer', description: 'The configured metrics token' },
};
