import type { HoldfastErrorCode } from './errors.ts';
import type { AccessToken } from './ports.ts';
import type { Waiter } from './state.ts';
import { run, observe, activePhase, type Transition } from './transition.ts';

// The requests that wait for a token: each one is granted a token, refused, or left waiting.

/** Takes the waiters that `isMeant` picks out of the queues. */
export function takeWaiters({ state }: Transition, isMeant: (waiter: Waiter) => boolean): readonly Waiter[] {
  const all = [...state.asking, ...state.waiting];
  const isLeft = (waiter: Waiter): boolean => !isMeant(waiter);
  state.asking = state.asking.filter(isLeft);
  state.waiting = state.waiting.filter(isLeft);
  return all.filter(isMeant);
}

/** Grants a usable token to one caller. */
export function grant(turn: Transition, { caller, resource }: Waiter, access: AccessToken): void {
  const { tokenNumber, userEpoch } = turn.state;
  run(turn, { type: 'settle', caller, settlement: { access, tokenNumber, userEpoch, resource } });
}

/** Refuses a token to one caller, whose request is not sent. */
export function refuse(turn: Transition, caller: number, code: HoldfastErrorCode): void {
  run(turn, { type: 'settle', caller, settlement: code });
  observe(turn, { type: 'request.failed', caller, code });
}

/** Fails the waiters that `isMeant` picks. Default: all. */
export function failWaiters(
  turn: Transition,
  code: HoldfastErrorCode,
  isMeant: (waiter: Waiter) => boolean = () => true,
): void {
  for (const { caller } of takeWaiters(turn, isMeant)) refuse(turn, caller, code);
}

/** A new session began with an authentication: its first token helps every parked request, a step-up included. */
export function helpWaiters({ state }: Transition): void {
  state.waiting = state.waiting.map((waiter) => ({ ...waiter, newerThan: 0 }));
}

/**
 * Grants the access token to every waiter that it helps, however little of its life is left: only the server can say
 * that it is too old.
 */
export function settleWaiters(turn: Transition): void {
  const held = activePhase(turn);
  const { tokenNumber, isOffline, resourceTokens } = turn.state;
  if (!held?.access || held.isRefused) return;
  const { access } = held;
  const accessFor = ({ resource }: Waiter): AccessToken | undefined => (resource ? resourceTokens[resource] : access);
  const isHelped = (waiter: Waiter): boolean =>
    Boolean(accessFor(waiter)) && waiter.newerThan < tokenNumber && !(waiter.isForNetwork && isOffline);
  for (const waiter of takeWaiters(turn, isHelped)) {
    grant(turn, waiter, accessFor(waiter) as AccessToken);
    observe(turn, { type: 'request.released', caller: waiter.caller });
  }
}
