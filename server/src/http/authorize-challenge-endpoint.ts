import { parseScope } from '../clients.ts';
import type { Client } from '../clients.ts';
import { invalidRequest, invalidScope, json, OAuthError } from './answers.ts';
import type { FormEndpoint } from './endpoint.ts';
import { requireParameter } from './form.ts';
import type { Parameters } from './form.ts';
import { readSid } from './token-endpoint.ts';

/** RFC 7636 §4.2: the base64url of a SHA-256. */
const CODE_CHALLENGE = /^[A-Za-z0-9_-]{43}$/;

/**
 * Sign-in by a first-party client without a browser redirect: a password for an authorization code.
 *
 * @see draft-ietf-oauth-first-party-apps-04 §5
 */
export const AUTHORIZE_CHALLENGE_ENDPOINT: FormEndpoint = {
  kind: 'form',
  path: '/authorize-challenge',
  hasCookies: false,
  isRepeatable: false,
  answer: async ({ parameters, client, request }, { authenticate, codes, report }) => {
    const codeChallenge = readCodeChallenge(parameters);
    const scope = readScope(parameters, client);
    const replaces = readSid(parameters, 'replaces');
    const username = parameters.get('username');
    const password = parameters.get('password');
    if (username === undefined || password === undefined) {
      throw new OAuthError(403, 'insufficient_authorization', 'A username and a password are needed', {
        reason: 'credentials_missing',
      });
    }
    const user = await authenticate(username, password);
    if (user === null) {
      report({ type: 'sign_in.failed', clientId: client.clientId, remoteAddress: request.remoteAddress });
      throw new OAuthError(400, 'access_denied', 'The credentials are wrong', { reason: 'credentials' });
    }
    const code = await codes.issue({ client, user, scope, codeChallenge, amr: ['pwd'], acr: 'aal1', replaces });
    return json(200, { authorization_code: code });
  },
};

function readCodeChallenge(parameters: Parameters): string {
  // The draft requires response_type, and there is one; a client that leaves it out means no other.
  if ((parameters.get('response_type') ?? 'code') !== 'code') {
    throw new OAuthError(400, 'unsupported_response_type', 'The response type is code');
  }
  const codeChallenge = requireParameter(parameters, 'code_challenge');
  if (parameters.get('code_challenge_method') !== 'S256') throw invalidRequest('code_challenge_method is S256');
  if (!CODE_CHALLENGE.test(codeChallenge)) throw invalidRequest('code_challenge is the base64url of a SHA-256');
  return codeChallenge;
}

function readScope(parameters: Parameters, client: Client): readonly string[] {
  const parameter = parameters.get('scope');
  if (parameter === undefined) return [...client.scopes];
  const scope = parseScope(parameter);
  if (scope === null || !scope.every((value) => client.scopes.has(value))) throw invalidScope();
  return scope;
}
