import type { HttpResponse } from '../../kernel/http-message.ts';
import { OAuthError } from '../answers.ts';
import { clearingDead, EMPTY_JAR, readJar } from '../cookie-jar.ts';
import { CLIENT_ID, jsonBody, ref } from '../description.ts';
import type { Endpoint } from '../endpoint.ts';
import { requireParameter } from '../form.ts';
import type { Grant } from '../grants/grant.ts';
import { GRANTS } from '../grants/grants.ts';

const BY_TYPE: ReadonlyMap<string, Grant> = new Map(GRANTS.map((grant) => [grant.grantType, grant]));

/** @see RFC 6749 §3.2 */
export const TOKEN_ENDPOINT: Endpoint<'form'> = {
  kind: 'form',
  path: '/token',
  hasCookies: true,
  methods: {
    POST: {
      description: {
        operationId: 'token',
        summary: 'Exchange an authorization code, or use a refresh token',
        description:
          'RFC 6749 sections 4.1.3 and 6. An answer without `refresh_token` means: keep the one you have. Only ' +
          '`invalid_grant` ends a session; everything else is to be repeated.',
        form: {
          required: ['grant_type', 'client_id'],
          fields: {
            grant_type: { type: 'string', enum: [...BY_TYPE.keys()] },
            client_id: CLIENT_ID,
            ...Object.assign({}, ...GRANTS.map(({ fields }) => fields)),
          },
        },
        responses: { 200: jsonBody('Tokens', ref('Tokens')) },
      },
      answer: async (form, parts) => {
        const grant = BY_TYPE.get(form.parameters.get('grant_type') ?? '');
        const jar = form.client.refreshTokenTransport === 'cookie' ? readJar(form.request, parts) : null;
        const answer = async (): Promise<HttpResponse> => {
          requireParameter(form.parameters, 'grant_type');
          if (grant === undefined) throw unsupportedGrantType();
          return grant.answer(form, jar ?? EMPTY_JAR, parts);
        };
        return jar === null ? answer() : clearingDead(jar, parts, answer, grant?.provesSession);
      },
    },
  },
};

function unsupportedGrantType(): OAuthError {
  return new OAuthError(400, 'unsupported_grant_type', 'The grant type is not supported');
}
