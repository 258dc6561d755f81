import type { Observation } from '../../../client/src/core/state.ts';
import type { Ground, Process } from '../sandbox/process.ts';
import { loneFaultOf, type OutageKind } from '../sandbox/setup.ts';
import type { CheckedTab } from './checked-tab.ts';
import type { Books, Call, ResourceAnswer } from './ledger.ts';

/**
 * Checks the cost of a single fault in an otherwise calm world: how long a request waits, if it is given up, and how
 * many refreshes are sent. In a world with many faults the cause of a wait would be unknown.
 */
export type Prices = {
  /** A resource has answered a request that carried this token. */
  onTried(call: Call, token: string, answer: ResourceAnswer): void;
  onObserved(tab: CheckedTab, observation: Observation): void;
  /** The process that holds a lock between tabs was killed or frozen. */
  readonly onHolderStopped: (process: Process) => void;
  /**
   * A request has ended.
   *
   * @param isSteady true if its tab was active with one session from the beginning of the request to its end
   */
  onEnded(call: Call, how: string, isSteady: boolean): void;
};

/**
 * The present or previous outage, and the time at which the last trouble was over, in ms of the world; now, during an
 * outage.
 */
type Troubles = { lastKind(): OutageKind; troubledMs(): number };

/**
 * Longest wait of a request after an outage, in ms: 10 s, and 15 s more if the outage was silent, plus 2 s for the
 * answer.
 */
const WAIT_MS: Readonly<Record<OutageKind, number>> = { refused: 12_000, unavailable: 12_000, silent: 27_000 };
/** A request is given up at its deadline, and no earlier, in ms. */
const DEADLINE_MS = 119_000;
/**
 * Refreshes that one expiry may cost, in any number of tabs. Each lock holder that was killed or frozen allows one
 * more.
 */
const REFRESHES = 2;
/** A token that was accepted (or as good as accepted) this recently, in ms, is not to blame for the next 401. */
const ACCEPTED_MS = 9_000;

export function createPrices({ scheduler, setup }: Ground, books: Books, outages: Troubles): Prices {
  const lone = loneFaultOf(setup);
  const accepted = new Map<string, { readonly token: string; readonly atMs: number }>();
  const refused = new Map<string, string>();
  /** The token of each request at its first refusal. */
  const refusedFirst = new Map<number, string>();
  let sent = 0;
  const stopped = new Set<Process>();
  /** The token of the newest 401 of each process. */
  const refusedLast = new Map<string, string>();
  /** True if the token of the process in `refusals` was accepted a moment ago. */
  const wasAccepted = (name: string, refusals: ReadonlyMap<string, string>): boolean => {
    const good = accepted.get(name);
    return good?.token === refusals.get(name) && scheduler.nowMs() - (good?.atMs ?? 0) < ACCEPTED_MS;
  };
  const isAccepted = ({ process }: CheckedTab): boolean => wasAccepted(process.name, refusedLast);
  // Requests for refused items wait for the refresh that they cause. All other requests go on, unless no recent answer
  // shows that the token is good.
  const toBeParked = new Map<string, number>();
  const doubted = new Set<string>();
  const judgeParking = (tab: CheckedTab, { type }: Observation): void => {
    const { name } = tab.process;
    const awaited = toBeParked.get(name) ?? 0;
    if (type === 'refresh.succeeded' || type === 'refresh.adopted') doubted.delete(name);
    if (type === 'token.refused') toBeParked.set(name, awaited + 1);
    if (type === 'token.refused' && !isAccepted(tab)) doubted.add(name);
    if (type !== 'request.parked') return;
    toBeParked.set(name, Math.max(0, awaited - 1));
    if (awaited === 0 && !doubted.has(name) && isAccepted(tab) && tab.auth.getSnapshot().status === 'active')
      books.violate('I3', `${name} holds up a request for what was said of another`);
  };
  return {
    onTried: ({ id, process }, token, { status, challenge }) => {
      const isRefused = status === 401;
      // If a request is refused with a newer token too, its item is to blame. For the token that is as good as an
      // acceptance.
      const isCallToBlame = isRefused && (refusedFirst.get(id) ?? token) !== token;
      if (status === 200 || isCallToBlame) accepted.set(process, { token, atMs: scheduler.nowMs() });
      if (!isRefused) return;
      refusedLast.set(process, token);
      if (challenge === null) refused.set(process, token);
      if (!refusedFirst.has(id)) refusedFirst.set(id, token);
    },
    onObserved: (tab, observation) => {
      const { process, cause } = tab;
      if (lone === 'itemRefused') judgeParking(tab, observation);
      if (ENDS_EXPIRY.has(observation.type)) {
        sent = 0;
        // Keep a frozen holder: it continues when it thaws.
        for (const each of stopped) if (!each.isFrozen || !each.isAlive) stopped.delete(each);
      }
      const isDue = observation.type === 'refresh.sent' && DUE.has(cause);
      if (lone === 'serverSlow' && isDue && ++sent > REFRESHES + stopped.size)
        books.violate('I7', `${sent} refreshes were sent for one expiry`);
      if (lone !== 'itemRefused' || observation.type !== 'refresh.started' || observation.cause !== 'refused') return;
      if (wasAccepted(process.name, refused))
        books.violate('I7', `${process.name} refreshes a token that was accepted a moment ago`);
    },
    onHolderStopped: (process) => void stopped.add(process),
    onEnded: (call, how, isSteady) => {
      if (!isSteady || (lone !== 'outage' && lone !== 'offlineWrongly')) return;
      const waitedMs = scheduler.nowMs() - Math.max(call.beganAtMs, outages.troubledMs());
      if (waitedMs > WAIT_MS[outages.lastKind()])
        books.violate('I3', `request ${call.id} waited ${waitedMs} ms longer than the outage`);
      if (call.mayRepeat && how !== '200' && scheduler.nowMs() - call.beganAtMs < DEADLINE_MS)
        books.violate('I3', `request ${call.id} was given up: ${how}`);
    },
  };
}

/** Observations after which there is a new token. After an ended session each tab asks the server once. */
const ENDS_EXPIRY: ReadonlySet<string> = new Set(['refresh.succeeded', 'refresh.rejected', 'signed-in']);
const DUE: ReadonlySet<string> = new Set(['proactive', 'expired', 'restored']);
