import { invalidRequest, json } from '../answers.ts';
import { jsonBody, text } from '../description.ts';
import type { Endpoint } from '../endpoint.ts';

/** Longest wait that a caller may request. Proxies cut longer ones off. */
const LONGEST_WAIT_SECONDS = 60;

/**
 * Tells a resource server which sessions have ended, so that it can refuse their access tokens before they expire.
 * Waits for news for as long as the caller requests (a long poll).
 */
export const REVOCATIONS_ENDPOINT: Endpoint<'resource_server'> = {
  kind: 'resource_server',
  path: '/revocations',
  methods: {
    POST: {
      description: {
        operationId: 'readRevocations',
        summary: 'Follow the sessions that end',
        description:
          'For registered resource servers: sessions that have ended while access tokens of them may live. Without ' +
          '`after`, all of them; with it, what came since, after a wait for news. An entry may come twice. After a ' +
          'failure, start again without `after`.',
        form: {
          required: [],
          fields: {
            after: text('The `cursor` of the last answer'),
            wait: text('How many seconds the answer may wait for news, at most 60. Default: 0'),
          },
        },
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
        },
      },
      answer: async ({ parameters }, { revocations }) => {
        const wait = parameters.get('wait') ?? '0';
        if (!/^\d{1,2}$/.test(wait) || Number(wait) > LONGEST_WAIT_SECONDS) {
          throw invalidRequest(`wait is whole seconds, at most ${LONGEST_WAIT_SECONDS}`);
        }
        const news = await revocations.read(parameters.get('after') ?? null, Number(wait) * 1_000);
        if (news === null) throw invalidRequest('after is a cursor from an earlier answer');
        return json(200, { revoked: news.revoked, cursor: news.cursor, more: news.isMore });
      },
    },
  },
};
