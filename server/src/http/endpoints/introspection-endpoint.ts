import type { IntrospectionAnswer } from '../../sessions/introspection.ts';
import { json } from '../answers.ts';
import { jsonBody, text } from '../description.ts';
import type { Endpoint } from '../endpoint.ts';
import { requireParameter } from '../form.ts';
import { proofMissing, verifyRequestProof } from '../proof.ts';

/**
 * Tells a resource server the current state of a token.
 *
 * @see RFC 7662
 */
export const INTROSPECTION_ENDPOINT: Endpoint<'resource_server'> = {
  kind: 'resource_server',
  path: '/introspect',
  methods: {
    POST: {
      description: {
        operationId: 'introspect',
        summary: 'Ask what a token means now',
        description: 'RFC 7662, for registered resource servers. It changes nothing.',
        form: {
          required: ['token'],
          fields: {
            token: text('An access token or a refresh token'),
            client_id: text('Whose a refresh token is said to be; with client_secret, the resource server itself'),
            client_secret: { type: 'string', format: 'password' },
          },
        },
        responses: {
          200: jsonBody('`active`, and what the token says when it is', {
            type: 'object',
            required: ['active'],
            properties: { active: { type: 'boolean' } },
          }),
        },
      },
      answer: async ({ request, parameters, id }, parts) => {
        const token = requireParameter(parameters, 'token');
        // With client_secret_post, `client_id` is the resource server itself.
        const clientId = parameters.get('client_id') ?? id;
        const answer = await parts.introspect({
          token,
          clientId: clientId === id ? null : clientId,
          audiences: parts.resourceServers.audiencesOf(id),
          verifyProof: () => verifyRequestProof(request, parts),
        });
        return json(200, describe(answer, parts.issuer));
      },
    },
  },
};

/** @see RFC 7662 §2.2; RFC 9449 §6.2 */
function describe(answer: IntrospectionAnswer, issuer: string): object {
  switch (answer.kind) {
    case 'inactive':
      return { active: false };
    case 'proof_missing':
      throw proofMissing();
    case 'access_token': {
      const { claims } = answer;
      return { active: true, token_type: claims.cnf === undefined ? 'Bearer' : 'DPoP', ...claims };
    }
    case 'refresh_token': {
      const { sub, clientId, sid, scope, authTimeSeconds, amr, acr, jkt, expiresAtMs, idleExpiresAtMs } =
        answer.session;
      return {
        active: true,
        iss: issuer,
        sub,
        client_id: clientId,
        sid,
        scope: scope.join(' '),
        exp: Math.floor(Math.min(expiresAtMs, idleExpiresAtMs) / 1_000),
        auth_time: authTimeSeconds,
        amr,
        acr,
        ...(jkt !== null && { cnf: { jkt } }),
      };
    }
  }
}
