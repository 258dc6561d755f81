import { errorBody, type Description, type Form } from '../description.ts';
import type { Endpoint, Operation } from '../endpoint.ts';
import { hasForm } from '../form.ts';
import { isRepeatable, STEPS, type Steps } from '../pipeline.ts';
import { SCHEMAS } from './openapi-schemas.ts';

/** Describes endpoints: what each says of itself, and what follows from its steps. */
export function describeApi(issuer: string, endpoints: readonly Endpoint[]): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version: '0',
      summary: 'OAuth 2.0 token endpoint with refresh token rotation that never loses an honest user',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: issuer }],
    paths: Object.fromEntries(endpoints.map((endpoint) => [endpoint.path, describeEndpoint(endpoint)])),
    components: { schemas: SCHEMAS, securitySchemes: SECURITY_SCHEMES },
  };
}

/** One entry of OpenAPI's `paths`: operations by lower-case method. */
function describeEndpoint({ kind, methods }: Endpoint): Readonly<Record<string, object>> {
  const described = Object.entries(methods).map(([method, operation]) => [
    method.toLowerCase(),
    describeOperation(method, operation, STEPS[kind]),
  ]);
  return Object.fromEntries(described) as Readonly<Record<string, object>>;
}

type DescribedOperation = Pick<Operation<never>, 'description' | 'isRepeatable'>;
type DescribedSteps = Omit<Steps<unknown>, 'admit' | 'refuseOtherPages'>;

function describeOperation(method: string, operation: DescribedOperation, steps: DescribedSteps): object {
  const { form, responses, ...description } = operation.description;
  const security = SECURITY[steps.caller];
  return {
    ...(security.length > 0 && { security }),
    ...description,
    ...(form && { requestBody: describeForm(form) }),
    responses: { ...errorsOf(method, operation, steps), ...responses },
  };
}

function describeForm({ required, fields }: Form): object {
  const schema = { type: 'object', required, properties: fields };
  return { required: true, content: { 'application/x-www-form-urlencoded': { schema } } };
}

/** The error responses that the steps of an operation can give. */
function errorsOf(method: string, operation: DescribedOperation, steps: DescribedSteps): Description['responses'] {
  const isPublic = steps.caller === 'none';
  return {
    ...(hasForm(method) && { 400: REFUSED, 413: errorBody('The body is too large') }),
    ...(!isPublic && { 401: errorBody(UNAUTHENTICATED[steps.caller]), 403: FORGERY, 503: UNAVAILABLE }),
    ...(steps.refusesEarlyData && !isRepeatable(method, operation) && { 425: TOO_EARLY }),
    ...(steps.isRateLimited && { 429: TOO_MANY }),
  };
}

const REFUSED = errorBody('Refused; `error` and `reason` say why');
const FORGERY = errorBody('A page of another site sent the request');
const TOO_EARLY = errorBody('Sent as TLS early data: send it again');
const TOO_MANY = errorBody('Come back after `Retry-After` seconds; nothing has changed');
const UNAVAILABLE = errorBody('The server cannot answer now; repeat the request after `Retry-After` seconds');

const UNAUTHENTICATED = {
  none: '',
  client: 'The client tried to authenticate: clients are public',
  access_token: 'No valid access token, or (RFC 9470) the user has to authenticate again: `WWW-Authenticate`',
  resource_server: 'The resource server did not authenticate',
} as const satisfies Record<DescribedSteps['caller'], string>;

const SECURITY = {
  none: [],
  client: [],
  access_token: [{ accessToken: [] }],
  resource_server: [{ resourceServerBasic: [] }, { resourceServerBearer: [] }],
} as const satisfies Record<DescribedSteps['caller'], readonly object[]>;

const SECURITY_SCHEMES = {
  accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token of this server' },
  resourceServerBasic: { type: 'http', scheme: 'basic', description: 'Id and secret of a resource server' },
  resourceServerBearer: { type: 'http', scheme: 'bearer', description: 'Secret of a resource server' },
  metricsToken: { type: 'http', scheme: 'bearer', description: 'The configured metrics token' },
};
