import { untilEither } from './instant.ts';
import type { Transition } from './transition.ts';

// Limits how often a refresh may be tried: the allowance, which no answer can exceed, and the back-off after failures.

/** How far this tab is ahead of one refresh every `refreshRefillMs`, in ms. The burst limits it. */
const aheadMs = ({ state, now }: Transition): number => Math.max(0, state.paidUntilMs - now.monotonicMs);

/**
 * Counts a refresh as sent. In a long outage this alone paces the refreshes; clients that began together drift apart.
 */
export function payForRefresh(turn: Transition): void {
  const { state, now, policy } = turn;
  state.paidUntilMs = now.monotonicMs + aheadMs(turn) + policy.refreshRefillMs * (1 + state.jitter / 4);
}

/** Milliseconds until a refresh may start: 0 now, more while backing off or over the cap. */
export function refreshAllowedInMs(turn: Transition): number {
  const { state, now, policy } = turn;
  const isParked = state.waiting.some(({ newerThan }) => newerThan < Infinity);
  const until = isParked ? state.backoff?.parkedUntil : state.backoff?.until;
  const backoffMs = until ? untilEither(until, now) : 0;
  return Math.max(0, backoffMs, aheadMs(turn) - (policy.refreshBurst - 1) * policy.refreshRefillMs);
}

/**
 * How long to wait after one more failure, in ms: exponential back-off. Full jitter spreads retries best. Without it,
 * at least half of each step is kept: a server or a store in trouble must not be asked again at once, not even after an
 * unlucky draw. `parkedMs`: the same draw from the shorter step that holds while requests are parked.
 */
export function backOff(
  { state, policy, random }: Transition,
  hasFullJitter = false,
): { readonly ms: number; readonly parkedMs: number } {
  const stepMs = policy.backoffBaseMs * 2 ** state.failures++;
  const part = hasFullJitter ? random : (1 + random) / 2;
  const ms = Math.min(policy.backoffCapMs, stepMs) * part;
  return { ms, parkedMs: Math.min(ms, policy.parkedBackoffCapMs * part) };
}
