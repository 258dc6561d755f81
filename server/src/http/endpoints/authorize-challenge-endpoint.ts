import { parseScope, type Client } from '../../registrations/clients.ts';
import { ACR_VALUES, isKnownAcr, satisfiesAcr, type Acr } from '../../tokens/step-up.ts';
import { invalidRequest, invalidScope, json, OAuthError } from '../answers.ts';
import { beginPasskey, checkCredential, tooManySignIns } from '../credentials.ts';
import { CLIENT_ID, errorBody, flag, jsonBody, text } from '../description.ts';
import type { Endpoint } from '../endpoint.ts';
import { readFlag, requireParameter, type Parameters } from '../form.ts';
import { verifyRequestProof } from '../proof.ts';

/** RFC 7636 §4.2: the base64url of a SHA-256. */
const CODE_CHALLENGE = /^[A-Za-z0-9_-]{43}$/;
const THUMBPRINT = CODE_CHALLENGE;
/** A password is one factor. */
const PASSWORD_ACR: Acr = 'aal1';

/**
 * Signs a first-party client in without a browser redirect: exchanges a password or a passkey for an authorization
 * code.
 *
 * A passkey takes two steps. A request without a credential returns `auth_session` and `passkey_options`. The next
 * request sends the browser's `passkey_response` with that `auth_session`. The first step is answered 403, as the draft
 * requires, or 200 if the client sends `passkey_options=true`, because a page that offers passkeys has made no mistake.
 *
 * @see draft-ietf-oauth-first-party-apps-04 §5
 */
export const AUTHORIZE_CHALLENGE_ENDPOINT: Endpoint<'form'> = {
  kind: 'form',
  path: '/authorize-challenge',
  methods: {
    POST: {
      description: {
        operationId: 'authorizeChallenge',
        summary: 'Sign in, or authenticate again, without a redirect',
        description: 'OAuth 2.0 for First-Party Applications (draft).',
        form: {
          required: ['client_id', 'code_challenge', 'code_challenge_method'],
          fields: {
            client_id: CLIENT_ID,
            username: text('With a password'),
            password: { type: 'string', format: 'password' },
            code_challenge: text('RFC 7636'),
            code_challenge_method: { type: 'string', enum: ['S256'] },
            scope: text('Default: every scope of the client'),
            acr_values: text('The classes of authentication that will do: RFC 9470'),
            max_age: text('Longest time since the authentication, in seconds; every sign-in here is of this moment'),
            dpop_jkt: text('The key that alone may exchange the code: RFC 9449 section 10'),
            passkey_options: flag(
              'Whether the answer begins a ceremony with a passkey; a credential beside it is not looked at',
            ),
            auth_session: text('With a passkey: from the answer that began the ceremony'),
            passkey_response: text('With a passkey: JSON of the AuthenticationResponseJSON'),
          },
        },
        responses: {
          200: jsonBody('Authenticated; or, for `passkey_options`, what a ceremony begins with', {
            type: 'object',
            properties: {
              authorization_code: { type: 'string' },
              auth_session: { type: 'string' },
              passkey_options: { type: 'object', description: 'WebAuthn: PublicKeyCredentialRequestOptionsJSON' },
            },
          }),
          403: errorBody('A credential is missing or too weak, or a page of another site sent the request'),
        },
      },
      answer: async (form, parts) => {
        const { parameters, client, request } = form;
        const codeChallenge = readCodeChallenge(parameters);
        const scope = readScope(parameters, client);
        const acrValues = readRequirement(parameters);
        const jkt = readKeyBinding(parameters, verifyRequestProof(request, parts));
        const isBeginning = readFlag(parameters, 'passkey_options', false);
        if (isBeginning) return json(200, await beginPasskey(form, codeChallenge, parts));
        // Refuse before the password check: an attempt that cannot suffice must not reveal whether the password was right.
        if (parameters.has('password')) refuseInsufficientAcr(PASSWORD_ACR, acrValues);
        const authentication = await checkCredential(form, codeChallenge, parts);
        refuseInsufficientAcr(authentication.acr, acrValues);
        const { sub } = authentication.user;
        const retryAfterMs = await parts.signInRate(sub);
        if (retryAfterMs > 0) throw tooManySignIns(form, { sub, retryAfterMs }, parts);
        const code = await parts.codes.issue({ ...authentication, client, scope, codeChallenge, jkt });
        return json(200, { authorization_code: code });
      },
    },
  },
};

function readCodeChallenge(parameters: Parameters): string {
  // The draft requires response_type, but it has only one value, so its absence is accepted.
  if ((parameters.get('response_type') ?? 'code') !== 'code') {
    throw new OAuthError(400, 'unsupported_response_type', 'The response type is code');
  }
  const codeChallenge = requireParameter(parameters, 'code_challenge');
  if (parameters.get('code_challenge_method') !== 'S256') throw invalidRequest('code_challenge_method is S256');
  if (!CODE_CHALLENGE.test(codeChallenge)) throw invalidRequest('code_challenge is the base64url of a SHA-256');
  return codeChallenge;
}

/**
 * Reads the required authentication. Any sign-in meets `max_age`, because it authenticates the user now.
 *
 * @returns the accepted `acr` values; null if any is accepted
 * @throws OAuthError `unmet_authentication_requirements` if no sign-in here can have a requested `acr`
 * @see RFC 9470 §4, §5
 */
function readRequirement(parameters: Parameters): readonly string[] | null {
  const maxAge = parameters.get('max_age');
  if (maxAge !== undefined && !/^\d{1,10}$/.test(maxAge)) throw invalidRequest('max_age is a number of seconds');
  const acrValues = parameters.get('acr_values')?.split(' ').filter(Boolean);
  if (acrValues === undefined) return null;
  if (isKnownAcr(acrValues)) return acrValues;
  throw new OAuthError(400, 'unmet_authentication_requirements', 'No sign-in here is of a class that was asked for', {
    reason: 'acr',
    members: { acr_values_supported: ACR_VALUES },
  });
}

/** Refuses credentials below the requested `acr`. The client can continue with stronger ones. */
function refuseInsufficientAcr(acr: string, acrValues: readonly string[] | null): void {
  if (acrValues === null || satisfiesAcr(acr, acrValues)) return;
  throw new OAuthError(403, 'insufficient_authorization', 'A stronger authentication is needed', {
    reason: 'acr',
    members: { acr_values: acrValues.join(' ') },
  });
}

/**
 * Reads the key that may exchange the code: named by `dpop_jkt`, shown by a proof, or both.
 *
 * @see RFC 9449 §10, §10.1
 */
function readKeyBinding(parameters: Parameters, jkt: string | null): string | null {
  const named = parameters.get('dpop_jkt') ?? null;
  if (named !== null && !THUMBPRINT.test(named)) throw invalidRequest('dpop_jkt is the base64url of a SHA-256');
  if (named !== null && jkt !== null && named !== jkt)
    throw invalidRequest('dpop_jkt names another key than the proof');
  return jkt ?? named;
}

function readScope(parameters: Parameters, client: Client): readonly string[] {
  const parameter = parameters.get('scope');
  if (parameter === undefined) return [...client.scopes];
  const scope = parseScope(parameter);
  if (scope === null || !scope.every((value) => client.scopes.has(value))) throw invalidScope();
  return scope;
}
