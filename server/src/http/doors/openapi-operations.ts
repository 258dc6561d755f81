import { GRANTS } from '../grants/grants.ts';
import { RESOURCE_OPERATIONS, RESOURCE_SCHEMAS } from './openapi-resource-operations.ts';

/** One entry of OpenAPI's `paths`: operations by lower-case method. */
type PathItem = Readonly<Record<string, object>>;

const ref = (name: string): object => ({ $ref: `#/components/schemas/${name}` });

const jsonBody = (description: string, schema: object): object => ({
  description,
  content: { 'application/json': { schema } },
});

const form = (required: readonly string[], properties: Readonly<Record<string, object>>): object => ({
  required: true,
  content: { 'application/x-www-form-urlencoded': { schema: { type: 'object', required, properties } } },
});

const text = (description: string): object => ({ type: 'string', description });

/** Error responses of every form endpoint. */
const ERRORS = {
  400: jsonBody('Refused; `error` and `reason` say why', ref('Error')),
  403: jsonBody('A request that uses cookies came from a place that may not send it', ref('Error')),
  413: jsonBody('The body is too large', ref('Error')),
  429: jsonBody('Come back after `Retry-After` seconds; nothing has changed', ref('Error')),
  503: jsonBody('The server cannot answer now; repeat the request after `Retry-After` seconds', ref('Error')),
};

const CLIENT_ID = text('The registered client');

/** Every endpoint by path and method. A test compares it with the router's table. */
export const OPERATIONS: Readonly<Record<string, PathItem>> = {
  '/token': {
    post: {
      operationId: 'token',
      summary: 'Exchange an authorization code, or use a refresh token',
      description:
        'RFC 6749 sections 4.1.3 and 6. An answer without `refresh_token` means: keep the one you have. Only ' +
        '`invalid_grant` ends a session; everything else is to be repeated.',
      requestBody: form(['grant_type', 'client_id'], {
        grant_type: { type: 'string', enum: GRANTS.map(({ grantType }) => grantType) },
        client_id: CLIENT_ID,
        ...Object.assign({}, ...GRANTS.map(({ fields }) => fields)),
      }),
      responses: {
        200: jsonBody('Tokens', ref('Tokens')),
        ...ERRORS,
        425: jsonBody('Sent as TLS early data: send it again', ref('Error')),
      },
    },
  },
  '/authorize-challenge': {
    post: {
      operationId: 'authorizeChallenge',
      summary: 'Sign in, or authenticate again, without a redirect',
      description: 'OAuth 2.0 for First-Party Applications (draft).',
      requestBody: form(['client_id', 'code_challenge', 'code_challenge_method'], {
        client_id: CLIENT_ID,
        username: text('With a password'),
        password: { type: 'string', format: 'password' },
        code_challenge: text('RFC 7636'),
        code_challenge_method: { type: 'string', enum: ['S256'] },
        scope: text('Default: every scope of the client'),
        acr_values: text('The classes of authentication that will do: RFC 9470'),
        max_age: text('Longest time since the authentication, in seconds; every sign-in here is of this moment'),
        dpop_jkt: text('The key that alone may exchange the code: RFC 9449 section 10'),
        passkey_options: {
          type: 'string',
          enum: ['true', 'false'],
          description: 'Whether the answer begins a ceremony with a passkey; a credential beside it is not looked at',
        },
        auth_session: text('With a passkey: from the answer that began the ceremony'),
        passkey_response: text('With a passkey: JSON of the AuthenticationResponseJSON'),
      }),
      responses: {
        200: jsonBody('Authenticated; or, for `passkey_options`, what a ceremony begins with', {
          type: 'object',
          properties: {
            authorization_code: { type: 'string' },
            auth_session: { type: 'string' },
            passkey_options: { type: 'object', description: 'WebAuthn: PublicKeyCredentialRequestOptionsJSON' },
          },
        }),
        ...ERRORS,
      },
    },
  },
  '/revoke': {
    post: {
      operationId: 'revoke',
      summary: 'Sign a device out by a refresh token of its chain, or end all sessions of its user',
      description: 'RFC 7009. A token that means nothing is answered 200 as well, and ends nothing.',
      requestBody: form(['client_id'], {
        client_id: CLIENT_ID,
        token: text('The refresh token, of clients that receive it in the body'),
        sid: text('Of clients with cookies: the session that is meant'),
        everywhere: {
          type: 'string',
          enum: ['true', 'false'],
          description: 'Whether all other sessions of the user end as well, if this one lives; and sign-ins under way',
        },
        discard: {
          type: 'string',
          enum: ['true', 'false'],
          description:
            'Whether this session ends alone: a sign-in that lost to another tab. Not together with everywhere',
        },
        device_secret: text('Of clients with cookies: proves the device where the cookie is lost'),
      }),
      responses: { 200: { description: 'There is no such session any more' }, ...ERRORS },
    },
  },
  '/introspect': {
    post: {
      operationId: 'introspect',
      summary: 'Ask what a token means now',
      description: 'RFC 7662, for registered resource servers. It changes nothing.',
      security: [{ resourceServerBasic: [] }, { resourceServerBearer: [] }],
      requestBody: form(['token'], {
        token: text('An access token or a refresh token'),
        client_id: text('Whose a refresh token is said to be; with client_secret, the resource server itself'),
        client_secret: { type: 'string', format: 'password' },
      }),
      responses: {
        200: jsonBody('`active`, and what the token says when it is', {
          type: 'object',
          required: ['active'],
          properties: { active: { type: 'boolean' } },
        }),
        401: jsonBody('The resource server did not authenticate', ref('Error')),
        400: ERRORS[400],
        413: ERRORS[413],
        503: ERRORS[503],
      },
    },
  },
  '/revocations': {
    post: {
      operationId: 'readRevocations',
      summary: 'Follow the sessions that end',
      description:
        'For registered resource servers: sessions that have ended while access tokens of them may live. Without `after`, all of them; with it, what came since, after a wait for news. An entry may come twice. After a failure, start again without `after`.',
      security: [{ resourceServerBasic: [] }, { resourceServerBearer: [] }],
      requestBody: form([], {
        after: text('The `cursor` of the last answer'),
        wait: text('How many seconds the answer may wait for news, at most 60. Default: 0'),
      }),
      responses: {
        200: jsonBody('`exp` is when the last access token of the session expires', {
          type: 'object',
          required: ['revoked', 'cursor', 'more'],
          properties: {
            revoked: {
              type: 'array',
              items: {
                type: 'object',
                required: ['sid', 'exp'],
                properties: { sid: { type: 'string', format: 'uuid' }, exp: { type: 'integer' } },
              },
            },
            cursor: { type: 'string' },
            more: { type: 'boolean' },
          },
        }),
        401: jsonBody('The resource server did not authenticate', ref('Error')),
        400: ERRORS[400],
        413: ERRORS[413],
        503: ERRORS[503],
      },
    },
  },
  ...RESOURCE_OPERATIONS,
  '/.well-known/jwks.json': {
    get: {
      operationId: 'jwks',
      summary: 'The keys that access tokens are verified by',
      description: 'RFC 7517. A key is published before it signs and stays until its last token has expired.',
      responses: { 200: jsonBody('The key set', { type: 'object' }) },
    },
  },
  '/.well-known/oauth-authorization-server': {
    get: {
      operationId: 'metadata',
      summary: 'What this server can do, and where',
      description: 'RFC 8414.',
      responses: { 200: jsonBody('The metadata', { type: 'object' }) },
    },
  },
  '/.well-known/oauth-protected-resource': {
    get: {
      operationId: 'resourceMetadata',
      summary: 'The audience of the account endpoints',
      description: 'RFC 9728. Ask for a token with this `resource` before you call an account endpoint.',
      responses: { 200: jsonBody('The metadata', { type: 'object' }) },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'openapi',
      summary: 'This document',
      responses: { 200: jsonBody('OpenAPI 3.1', { type: 'object' }) },
    },
  },
  '/healthz': {
    get: {
      operationId: 'health',
      summary: 'Whether the process is alive',
      responses: { 200: jsonBody('It is', { type: 'object' }) },
    },
  },
  '/readyz': {
    get: {
      operationId: 'readiness',
      summary: 'Whether to send requests here',
      responses: { 200: jsonBody('Yes', ref('Readiness')), 503: jsonBody('No; `checks` says why', ref('Readiness')) },
    },
  },
  '/metrics': {
    get: {
      operationId: 'metrics',
      summary: 'Prometheus metrics',
      security: [{ metricsToken: [] }],
      responses: {
        200: { description: 'Text exposition format', content: { 'text/plain': { schema: { type: 'string' } } } },
        403: jsonBody('Not from this host, and without the token', ref('Error')),
      },
    },
  },
};

export const SCHEMAS = {
  ...RESOURCE_SCHEMAS,
  Error: {
    type: 'object',
    required: ['error'],
    properties: {
      error: text('RFC 6749 section 5.2'),
      error_description: text('For people'),
      reason: text('For machines: why exactly'),
      successor: {
        type: 'string',
        format: 'uuid',
        description: 'With the reason `replaced`: the session of the same device to go on with',
      },
      sessions: {
        type: 'array',
        items: { type: 'string', format: 'uuid' },
        description: 'The live sessions of a browser of which the request named none',
      },
    },
  },
  Tokens: {
    type: 'object',
    required: ['access_token', 'token_type', 'expires_in', 'scope', 'sid', 'sub'],
    properties: {
      access_token: text('RFC 9068'),
      token_type: { type: 'string', enum: ['Bearer', 'DPoP'] },
      expires_in: { type: 'integer' },
      scope: { type: 'string' },
      resource: text('What the access token is for: its audience (RFC 8707)'),
      refresh_token: text('Only when one is handed out; otherwise keep the one you have'),
      refresh_token_timeout: { type: 'integer', description: 'Seconds until the inactivity timeout' },
      authorization_expires_in: { type: 'integer', description: 'Seconds until the session ends for good' },
      sid: { type: 'string', format: 'uuid' },
      sub: text('The user, as the directory of users names them'),
      device_id: { type: 'string', format: 'uuid', description: 'The chain of sessions of this device' },
      device_sequence: { type: 'integer', description: 'Of two sessions of one chain, keep the one with the larger' },
    },
  },
  Readiness: {
    type: 'object',
    required: ['status', 'checks'],
    properties: {
      status: { type: 'string', enum: ['ready', 'not_ready'] },
      checks: { type: 'object', additionalProperties: { type: 'string' } },
    },
  },
};
