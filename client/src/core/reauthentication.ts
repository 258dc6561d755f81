import { after } from './instant.ts';
import { signOut, settleDown, leave, endFlight } from './lifecycle.ts';
import type { StoredSession } from './ports.ts';
import type { ReauthenticationProgress, ReauthenticationReason, ReauthenticationStage, StepUp } from './state.ts';
import { run, observe, activePhase, type Transition } from './transition.ts';

// The stages by which the user authenticates again, when the session has ended or a resource asks for more.

/** Asks for the first of `stages`, and starts it if it starts by itself. Without a stage left there is no chain. */
export function askForStage(
  turn: Transition,
  [stage, ...laterStages]: readonly ReauthenticationStage[],
  failed: ReauthenticationProgress['failed'],
  stepUp: StepUp | null,
): void {
  const { state, config } = turn;
  state.reauthentication = stage ? { stage, laterStages, failed, stepUp } : null;
  if (!stage) return;
  const reason = state.phase.kind === 'reauthentication-required' ? state.phase.reason : 'step-up';
  observe(turn, { type: 'reauthentication.required', stage, reason });
  if (config.automaticStages.includes(stage)) run(turn, { type: 'reauthenticate', stage });
}

/**
 * Schedules a read of the vault: the user may sign in in another tab or process, and no signal passes between
 * processes.
 */
export function lookAgain({ state, now, policy }: Transition): void {
  if (state.phase.kind === 'reauthentication-required') state.syncAt ??= after(now, policy.tickMs);
}

/**
 * Asks the user to authenticate again, because the server has ended the session or it was lost. Signs out if no stage
 * can.
 */
export function requireReauthentication(turn: Transition, stored: StoredSession, reason: ReauthenticationReason): void {
  // No session was ever shown. A lost one gets a tombstone, so the server is not asked for it again. Without any trace
  // of a session there is no tombstone, so the server is asked at the next launch.
  const probe = activePhase(turn)?.probe;
  if (probe) return probe === 'never-signed-in' ? leave(turn, probe) : signOut(turn, probe);
  turn.state.phase = { kind: 'reauthentication-required', stored, reason };
  lookAgain(turn);
  settleDown(turn);
  endFlight(turn);
  askForStage(turn, turn.config.stages, [], null);
  if (!turn.state.reauthentication) signOut(turn, reason);
}
