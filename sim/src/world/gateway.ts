import { errorResponse, json, OAuthError, toOAuthError } from '../../../server/src/http/answers.ts';
import type { EndpointParts } from '../../../server/src/http/endpoint-parts.ts';
import type { Endpoint, FormRequest } from '../../../server/src/http/endpoint.ts';
import { REVOCATION_ENDPOINT } from '../../../server/src/http/endpoints/revocation-endpoint.ts';
import { TOKEN_ENDPOINT } from '../../../server/src/http/endpoints/token-endpoint.ts';
import { readForm, requireParameter } from '../../../server/src/http/form.ts';
import { refuseForgery } from '../../../server/src/http/origin.ts';
import type { HttpRequest, HttpResponse } from '../../../server/src/kernel/http-message.ts';
import type { Client } from '../../../server/src/registrations/clients.ts';
import type { SignIn } from '../../../server/src/sessions/authorization-codes.ts';

/** Checks a username and a password; `null` if they do not match. */
export type Authenticate = (username: string, password: string) => { readonly sub: string } | null;

/**
 * Answers a request with the server's own token and revocation endpoints, or with a sign-in that checks a password
 * without hashing it. Rate limits, passkeys and documents are not simulated.
 */
export async function answer(
  request: HttpRequest,
  parts: EndpointParts,
  authenticate: Authenticate,
): Promise<HttpResponse> {
  try {
    const parameters = readForm(request, parts.policy.bodyLimitBytes);
    const client = parts.clients.get(requireParameter(parameters, 'client_id'));
    if (client === undefined) throw new OAuthError(400, 'invalid_client', 'The client is unknown');
    const form: FormRequest = { request, parameters, client };
    if (request.path === '/authorize-challenge') return await signIn(form, parts, authenticate);
    const { methods } = endpointOf(request, client);
    if (methods.POST === undefined) throw new OAuthError(405, 'invalid_request', 'The endpoint takes no form');
    return await methods.POST.answer(form, parts);
  } catch (thrown) {
    return errorResponse(toOAuthError(thrown, parts.policy.retryAfterSeconds));
  }
}

function endpointOf(request: HttpRequest, client: Client): Endpoint<'form'> {
  const endpoint = [TOKEN_ENDPOINT, REVOCATION_ENDPOINT].find(({ path }) => path === request.path);
  if (endpoint === undefined) throw new OAuthError(404, 'invalid_request', 'There is no such endpoint');
  if (client.refreshTokenTransport === 'cookie') refuseForgery(request, client);
  return endpoint;
}

async function signIn(
  { parameters, client }: FormRequest,
  { codes }: EndpointParts,
  authenticate: Authenticate,
): Promise<HttpResponse> {
  const username = requireParameter(parameters, 'username');
  const user = authenticate(username, requireParameter(parameters, 'password'));
  if (user === null) throw new OAuthError(400, 'access_denied', 'The credentials are wrong');
  const signedIn: SignIn = {
    client,
    user: { sub: user.sub, username, name: username },
    signInEpoch: 0,
    jkt: null,
    scope: [...client.scopes],
    codeChallenge: requireParameter(parameters, 'code_challenge'),
    amr: ['pwd'],
    acr: 'aal1',
  };
  return json(200, { authorization_code: await codes.issue(signedIn) });
}
