import type { HttpResponse } from '../../kernel/http-message.ts';
import type { CodeExchange } from '../../sessions/authorization-codes.ts';
import { invalidGrant, OAuthError } from '../answers.ts';
import { copiesOf, endSurplus } from '../cookie-jar.ts';
import { tooManySignIns } from '../credentials.ts';
import { text, uuid } from '../description.ts';
import type { EndpointParts } from '../endpoint-parts.ts';
import { peerOf, type FormRequest } from '../endpoint.ts';
import { readDeviceSecret, readSid, requireParameter } from '../form.ts';
import { proofMissing, verifyRequestProof } from '../proof.ts';
import type { CookieJar } from '../refresh-cookies.ts';
import type { Grant } from './grant.ts';
import { prepareAccessToken, tokenResponse } from './token-response.ts';

/** @see RFC 6749 §4.1.3 */
export const AUTHORIZATION_CODE: Grant = {
  grantType: 'authorization_code',
  provesSession: false,
  fields: {
    code: text('For authorization_code'),
    code_verifier: text('For authorization_code: RFC 7636'),
    device_secret: text('For authorization_code: base64url of 32 random bytes that the store keeps and always sends'),
    replaces: uuid('For authorization_code: the session that it replaces'),
    replaces_token: text('For authorization_code: a refresh token of its device, of clients without cookies'),
  },
  answer: exchangeCode,
};

/** RFC 7636 §4.1, and the form of our codes. Other values cannot match, so they need no look-up. */
const CODE_VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;
const CODE = /^[A-Za-z0-9_-]{43}$/;

async function exchangeCode(form: FormRequest, jar: CookieJar, parts: EndpointParts): Promise<HttpResponse> {
  const { client, parameters, request } = form;
  const code = requireParameter(parameters, 'code');
  const codeVerifier = requireParameter(parameters, 'code_verifier');
  if (!CODE.test(code) || !CODE_VERIFIER.test(codeVerifier)) throw invalidGrant('code');
  const device = readDevice(form, jar);
  const jkt = verifyRequestProof(request, parts);
  if (jkt === null && client.isProofRequired) throw proofMissing();
  const tokenIssuer = prepareAccessToken(form, parts);
  const answer = await parts.codes.exchange({ client, code, codeVerifier, jkt, ...device, ...peerOf(request) });
  switch (answer.kind) {
    case 'exchanged': {
      const { session, refreshToken } = answer;
      await endSurplus(jar, session, device.replaces, request.remoteAddress, parts);
      return tokenResponse({ session, refreshToken, jkt }, session.scope, form, { issuer: parts.issuer, tokenIssuer });
    }
    case 'refused':
      throw answer.reason === 'proof_missing' ? proofMissing() : invalidGrant(answer.reason);
    case 'too_many_sessions':
      throw new OAuthError(
        429,
        'too_many_sessions',
        'The user is signed in on too many devices: sign out on one of them',
      );
    case 'delayed':
      throw tooManySignIns(form, answer, parts);
  }
}

/**
 * Reads the device's proofs in an exchange: its secret, the session that it replaces, and refresh tokens of its
 * sessions.
 */
function readDevice({ client, parameters }: FormRequest, jar: CookieJar): DeviceParameters {
  const deviceSecret = readDeviceSecret(parameters);
  const token = parameters.get('replaces_token');
  const body = token === undefined ? [] : [token];
  const copies = client.refreshTokenTransport === 'cookie' ? copiesOf(jar) : body;
  return { deviceSecret, replaces: readSid(parameters, 'replaces'), copies };
}

type DeviceParameters = Pick<CodeExchange, 'deviceSecret' | 'replaces' | 'copies'>;
