import type { HttpResponse } from '../../kernel/http-message.ts';
import { OAuthError } from '../answers.ts';
import { clearingDead, EMPTY_JAR, readJar } from '../cookie-jar.ts';
import type { FormEndpoint } from '../endpoint.ts';
import { requireParameter } from '../form.ts';
import type { Grant } from '../grants/grant.ts';
import { GRANTS } from '../grants/grants.ts';

const BY_TYPE: ReadonlyMap<string, Grant> = new Map(GRANTS.map((grant) => [grant.grantType, grant]));

/** @see RFC 6749 §3.2 */
export const TOKEN_ENDPOINT: FormEndpoint = {
  kind: 'form',
  path: '/token',
  hasCookies: true,
  isRepeatable: false,
  answer: async (form, parts) => {
    const grant = BY_TYPE.get(form.parameters.get('grant_type') ?? '');
    const jar = form.client.delivery === 'cookie' ? readJar(form.request, parts) : null;
    const answer = async (): Promise<HttpResponse> => {
      requireParameter(form.parameters, 'grant_type');
      if (grant === undefined) throw unsupportedGrantType();
      return grant.answer(form, jar ?? EMPTY_JAR, parts);
    };
    return jar === null ? answer() : clearingDead(jar, parts, answer, grant?.provesSession);
  },
};

function unsupportedGrantType(): OAuthError {
  return new OAuthError(400, 'unsupported_grant_type', 'The grant type is not supported');
}
