import { HoldfastError, type HoldfastErrorCode } from '../core/errors.ts';
import type { HttpResponse, HttpRequest } from '../core/ports.ts';
import { initialState, transition } from '../core/session.ts';
import { keepIfEqual, takeSnapshot } from '../core/snapshot.ts';
import type { Effect, GrantedToken, Observation, SessionEvent, StepUp, Trial } from '../core/state.ts';
import { refreshRequest } from '../core/wire.ts';
import { recordResponseHeaders, signProof, withProof } from './authorization-server.ts';
import { deliverRevocations, postRevocation, readDeviceSecret } from './revocation.ts';
import type { Shell, ShellParts } from './shell.ts';
import { unlessAborted, within } from './timeouts.ts';

// The shell of the session machine: runs its effects against the ports and feeds the events back. It decides nothing.

/** Creates the machine and starts to restore the session. */
export function startShell(parts: ShellParts): Shell {
  const { platform } = parts;
  const state = initialState(platform.random(), platform.clock.now());
  const shell: Shell = {
    ...parts,
    state,
    snapshot: takeSnapshot(state),
    queue: [],
    isDispatching: false,
    isDisposed: false,
    signOuts: 0,
    newestAfter: 0,
    deviceSecret: platform.randomToken(),
    callers: new Map(),
    nextCaller: 1,
    attempts: new Map(),
    proof: null,
    vaultTail: Promise.resolve(),
    cancelWake: () => {},
    undelivered: [],
    deliveries: 0,
    cancelDelivery: () => {},
    noted: Promise.resolve(),
    stopSignals: () => {},
    listeners: new Set(),
    lookouts: new Set(),
  };
  shell.stopSignals = platform.signals((signal) => {
    for (const { onSignal } of shell.automaticStages) onSignal(shell, signal);
    dispatch(shell, { type: 'signalled', signal });
    if (signal === 'online' || signal === 'foreground') void deliverRevocations(shell);
  });
  dispatch(shell, { type: 'woke' });
  // Read the device secret ahead: a sign-out needs it in the same task, where the session's cookie is gone.
  if (shell.wire.hasCookie) void readDeviceSecret(shell);
  void deliverRevocations(shell);
  return shell;
}

/** Feeds one event to the machine and runs the effects. Safe to call from anywhere, also from within itself. */
export function dispatch(shell: Shell, event: SessionEvent): void {
  if (shell.isDisposed || shell.platform.isRenderingServer) return;
  shell.queue.push(event);
  if (shell.isDispatching) return;
  shell.isDispatching = true;
  let wakeInMs = Infinity;
  try {
    for (let next = shell.queue.shift(); next !== undefined; next = shell.queue.shift()) {
      const now = shell.platform.clock.now();
      let effects: readonly Effect[];
      [shell.state, effects, wakeInMs] = transition(shell.state, next, now, shell.policy, shell.config);
      for (const effect of effects) runEffect(shell, effect);
    }
  } finally {
    shell.isDispatching = false;
  }
  armWake(shell, wakeInMs);
  const snapshot = keepIfEqual(shell.snapshot, takeSnapshot(shell.state));
  const isNews = snapshot !== shell.snapshot;
  shell.snapshot = snapshot;
  if (isNews) for (const listener of Array.from(shell.listeners)) void callSafely(listener);
  for (const look of shell.lookouts) look();
}

/** A listener that throws must not stop the session. Its error still surfaces as an uncaught one. */
async function callSafely(listener: () => void): Promise<void> {
  listener();
}

function armWake(shell: Shell, wakeInMs: number): void {
  shell.cancelWake();
  if (wakeInMs < Infinity)
    shell.cancelWake = shell.platform.clock.wake(wakeInMs, () => dispatch(shell, { type: 'woke' }));
}

function runEffect(shell: Shell, effect: Effect): void {
  switch (effect.type) {
    case 'acquireLock':
      return acquireLock(shell, effect);
    case 'endRefresh':
      return endRefresh(shell, effect.attempt);
    case 'readVault':
      return useVault(shell, effect.operation, async () => {
        if (effect.isForRefresh) shell.proof = await signProof(shell, 'POST', shell.wire.tokenEndpoint, null);
        const record = await shell.platform.vault.read();
        return { type: 'vaultRead', operation: effect.operation, record };
      });
    case 'writeVault':
      return useVault(shell, effect.operation, async () => {
        const { operation, version, next } = effect;
        const { isSwapped, record } = await shell.platform.vault.compareAndSwap(version, next);
        if (isSwapped) void callSafely(shell.platform.announce);
        return { type: 'vaultWritten', operation, isSwapped, record };
      });
    case 'sendRefresh':
      return sendRefresh(shell, effect.attempt, refreshRequest(shell.wire, effect));
    case 'revoke':
      return void postRevocation(shell, effect.session, effect.extent);
    case 'reauthenticate':
      return void shell.automaticStages.find(({ stage }) => stage === effect.stage)?.start(shell);
    case 'settle':
      return settle(shell, effect.caller, effect.settlement);
    case 'observe':
      return tellObservers(shell, effect.observation);
  }
}

/** Passes an observation to all observers. */
export function tellObservers(shell: Shell, observation: Observation): void {
  for (const observer of Array.from(shell.observers)) void callSafely(() => observer(observation));
}

function acquireLock(shell: Shell, { attempt, waitMs, level }: Extract<Effect, { type: 'acquireLock' }>): void {
  // One controller serves all locks of an attempt: a lock that comes late is released with the others.
  const controller = shell.attempts.get(attempt) ?? new AbortController();
  const { signal } = controller;
  shell.attempts.set(attempt, controller);
  const settleLock = (release: (() => void) | null): void => {
    if (signal.aborted) return release?.();
    // Release the lock after the vault operations: the next tab must find what this one wrote.
    if (release) signal.addEventListener('abort', () => void shell.vaultTail.then(release).catch(() => {}));
    dispatch(shell, { type: 'lockSettled', attempt, isHeld: !!release });
  };
  void (async () => shell.platform.refreshLock(waitMs, level, signal))().then(settleLock, () => settleLock(null));
}

function endRefresh({ attempts }: Shell, attempt: number): void {
  attempts.get(attempt)?.abort();
  attempts.delete(attempt);
}

function useVault(shell: Shell, operation: number, work: () => Promise<SessionEvent>): void {
  const { clock, random } = shell.platform;
  const use = async (): Promise<void> => {
    const working = work();
    const event = await within(clock, shell.policy.vaultWaitMs, working).catch((reason: unknown): SessionEvent => {
      // An operation that was given up may still succeed.
      working.then(onLate, () => {});
      const error = reason instanceof HoldfastError && !reason.isRetryable ? reason : null;
      return { type: 'vaultUnavailable', operation, error, random: random() };
    });
    void callSafely(() => dispatch(shell, event));
  };
  const onLate = (event: SessionEvent): void => {
    if (event.type === 'vaultWritten' && event.isSwapped)
      dispatch(shell, { type: 'vaultWrittenLate', record: event.record });
  };
  shell.vaultTail = shell.vaultTail.then(use);
}

function sendRefresh(shell: Shell, attempt: number, request: HttpRequest): void {
  const { random, transport } = shell.platform;
  // The controller exists: no refresh is sent before its lock was asked for.
  const { signal } = shell.attempts.get(attempt) ?? new AbortController();
  const onAnswer = (httpAnswer: HttpResponse): void => {
    recordResponseHeaders(shell, request.url, httpAnswer.headers);
    dispatch(shell, {
      type: 'refreshAnswered',
      attempt,
      answer: shell.readTokenResponse(httpAnswer),
      random: random(),
    });
  };
  const onFailure = (): void => dispatch(shell, { type: 'refreshFailed', attempt, random: random() });
  void (async () => transport(withProof(request, shell.proof), signal))().then(onAnswer, onFailure);
}

function settle(shell: Shell, caller: number, settlement: GrantedToken | HoldfastErrorCode | null): void {
  const waiting = shell.callers.get(caller);
  shell.callers.delete(caller);
  if (typeof settlement !== 'string') return waiting?.resolve(settlement);
  const { vaultError, refusal } = shell.state;
  waiting?.reject(settlement === vaultError?.code ? vaultError : new HoldfastError(settlement, refusal?.words));
}

/** A request for a token newer than the one that the caller saw fail, or for the sign-in that a resource requires. */
export type TokenRequest = {
  readonly newerThan?: number;
  /** The resource that the token is for. Default: the session's ordinary token. @see RFC 8707 */
  readonly resource?: string;
  readonly stepUp?: StepUp;
  /** Also waits for a network, if the platform reports none. */
  readonly isForNetwork?: boolean;
  /** Longest wait for a network, in ms: the platform may be wrong. Default: until the deadline. */
  readonly pauseMs?: number;
  /**
   * `SessionState.userEpoch` of a request that was sent before. Under another epoch it fails with `user-changed`, or with
   * `signed-out` if there is no session.
   */
  readonly userEpoch?: number | null | undefined;
  /** How long to wait, in ms. Default: `policy.deadlineMs`. */
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | null | undefined;
};

/**
 * Waits for a usable access token. The caller's abort ends its own wait, never the refresh.
 *
 * @returns the token; `null`, after a `refusal` only: no other token would help
 */
export function requestToken(shell: Shell, request: TokenRequest & { refusal: Trial }): Promise<GrantedToken | null>;
export function requestToken(shell: Shell, request: TokenRequest): Promise<GrantedToken>;
export async function requestToken(
  shell: Shell,
  request: TokenRequest & { refusal?: Trial },
): Promise<GrantedToken | null> {
  const { stepUp = null, userEpoch = null, signal, deadlineMs = shell.policy.deadlineMs } = request;
  refuseUnusable(shell);
  if (Number.isNaN(deadlineMs)) throw new TypeError('deadlineMs is NaN');
  const caller = shell.nextCaller++;
  const granted = new Promise<GrantedToken | null>((resolve, reject) => shell.callers.set(caller, { resolve, reject }));
  const defaults = { newerThan: 0, isForNetwork: false, pauseMs: Infinity, refusal: null, resource: null };
  shell.platform.look?.();
  dispatch(shell, { ...defaults, ...request, type: 'tokenRequested', caller, userEpoch, deadlineMs, stepUp });
  return unlessAborted(signal, granted, () => {
    shell.callers.delete(caller);
    dispatch(shell, { type: 'callerLeft', caller });
  });
}

/** Resolves when `isTrue` holds, which is checked after every turn, or when the service is disposed of. */
export function until(shell: Shell, isTrue: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!isTrue() && !shell.isDisposed) return;
      shell.lookouts.delete(look);
      resolve();
    };
    shell.lookouts.add(look);
    look();
  });
}

/** The error of a call after `dispose`. */
export const disposed = (): HoldfastError => new HoldfastError('disposed');

/** Throws if the service was disposed of, or if this is a rendering server: a wait there would never end. */
export function refuseUnusable({ isDisposed, platform }: Shell): void {
  if (isDisposed) throw disposed();
  if (platform.isRenderingServer) throw new HoldfastError('server-rendering', 'call this in a browser');
}

/** Stops the machine: ends timers, listeners and exchanges, and rejects waiting callers. The session itself stays. */
export function disposeShell(shell: Shell): void {
  if (shell.isDisposed) return;
  shell.isDisposed = true;
  shell.cancelWake();
  shell.cancelDelivery();
  shell.stopSignals();
  for (const attempt of shell.attempts.keys()) endRefresh(shell, attempt);
  for (const { reject } of shell.callers.values()) reject(disposed());
  shell.callers.clear();
  for (const look of shell.lookouts) look();
  shell.listeners.clear();
}
