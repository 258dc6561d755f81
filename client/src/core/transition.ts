import type { Instant } from './instant.ts';
import type { SessionPolicy } from './policy.ts';
import type { Active, Effect, MachineConfig, Observation, SessionState } from './state.ts';

/**
 * One turn of the machine: a copy of the state that this turn may change, and the effects it has asked for so far.
 * Nested values are replaced and never changed, so the state before the turn stays as it was.
 */
export type Transition = {
  readonly state: { -readonly [Field in keyof SessionState]: SessionState[Field] };
  readonly effects: Effect[];
  readonly now: Instant;
  /** In [0, 1): the event's own number, or this tab's jitter. */
  readonly random: number;
  readonly policy: SessionPolicy;
  readonly config: MachineConfig;
};

export const run = (turn: Transition, effect: Effect): void => void turn.effects.push(effect);

/** Reports an observation to logs and panels. */
export const observe = (turn: Transition, observation: Observation): void =>
  run(turn, { type: 'observe', observation });

/** A number for an operation outside a refresh. The operation ends in one event. */
export const takeNumber = ({ state }: Transition): number => -++state.operations;

export const activePhase = ({ state }: Transition): Active | null =>
  state.phase.kind === 'active' ? state.phase : null;
