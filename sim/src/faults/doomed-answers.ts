import { parseObject } from '../../../client/src/core/wire.ts';
import type { HttpResponse } from '../../../server/src/kernel/http-message.ts';
import type { Connection } from '../world/database.ts';

/** The answers that a fault is aimed at. Each is the answer of the node that has just made the commit. */
export type DoomedAnswers = {
  /** Aims at the answer by which this node will hand out tokens of the session. */
  readonly doom: (by: Connection, sid: string) => void;
  /** A node has answered a request with tokens. */
  readonly onTokens: (by: Connection, response: HttpResponse) => void;
  /** True if the answer is to be lost on its way. */
  readonly isDoomed: (response: HttpResponse) => boolean;
};

export function createDoomedAnswers(): DoomedAnswers {
  const aims = new Map<Connection, Set<string>>();
  const doomed = new WeakSet<HttpResponse>();
  return {
    doom: (by, sid) => void aims.set(by, (aims.get(by) ?? new Set()).add(sid)),
    onTokens: (by, response) => {
      const sids = aims.get(by);
      if (sids?.size && sids.delete(String(parseObject(response.body)?.['sid']))) doomed.add(response);
    },
    isDoomed: (response) => doomed.has(response),
  };
}
