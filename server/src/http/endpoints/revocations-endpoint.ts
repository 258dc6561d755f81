import { invalidRequest, json } from '../answers.ts';
import type { ResourceServerEndpoint } from '../endpoint.ts';

/** Longest wait that a caller may request. Proxies cut longer ones off. */
const LONGEST_WAIT_SECONDS = 60;

/**
 * Tells a resource server which sessions have ended, so that it can refuse their access tokens before they expire.
 * Waits for news for as long as the caller requests (a long poll).
 */
export const REVOCATIONS_ENDPOINT: ResourceServerEndpoint = {
  kind: 'resource_server',
  path: '/revocations',
  answer: async ({ parameters }, { revocations }) => {
    const wait = parameters.get('wait') ?? '0';
    if (!/^\d{1,2}$/.test(wait) || Number(wait) > LONGEST_WAIT_SECONDS) {
      throw invalidRequest(`wait is whole seconds, at most ${LONGEST_WAIT_SECONDS}`);
    }
    const news = await revocations.read(parameters.get('after') ?? null, Number(wait) * 1_000);
    if (news === null) throw invalidRequest('after is a cursor from an earlier answer');
    return json(200, { revoked: news.revoked, cursor: news.cursor, more: news.isMore });
  },
};
