import { HoldfastError } from './errors.ts';
import type { SessionPolicy } from './policy.ts';
import type { AbortSignalLike, HttpAnswer, HttpRequest, Platform, StoredSession } from './ports.ts';
import { initialState, nextWakeInMs, transition } from './session.ts';
import type { Effect, MachineConfig, Observation, SessionEvent, SessionState, Settlement } from './session-state.ts';
import { keepIfEqual, takeSnapshot, type SessionSnapshot } from './snapshot.ts';
import { revocationRequest } from './wire.ts';

// The shell of the session machine: runs its effects against the ports and feeds the events back. It decides nothing.

/** A token for one request, and which one it was. */
export type GrantedToken = Extract<Settlement, { ok: true }>;

type Caller = { readonly resolve: (token: GrantedToken) => void; readonly reject: (error: Error) => void };

/** The running machine of one tab. */
export type Shell = {
  readonly config: MachineConfig;
  readonly policy: SessionPolicy;
  readonly platform: Platform;
  state: SessionState;
  snapshot: SessionSnapshot;
  readonly queue: SessionEvent[];
  isDispatching: boolean;
  isDisposed: boolean;
  readonly callers: Map<number, Caller>;
  nextCaller: number;
  /** Attempts that use the lock: the release function, or `null` while it is waited for. */
  readonly locks: Map<number, (() => void) | null>;
  readonly exchanges: Map<number, Abort>;
  /** Vault operations run one after the other, in the order in which the machine asked for them. */
  vaultTail: Promise<void>;
  cancelWake: () => void;
  stopSignals: () => void;
  readonly listeners: Set<() => void>;
  readonly observers: Set<(observation: Observation) => void>;
};

type Abort = { readonly signal: AbortSignalLike; readonly abort: () => void };

/** An abort signal for engines that have none. */
function createAbort(): Abort {
  const listeners = new Set<() => void>();
  let aborted = false;
  const signal: AbortSignalLike = {
    get aborted() {
      return aborted;
    },
    addEventListener: (_type, listener) => void listeners.add(listener),
    removeEventListener: (_type, listener) => void listeners.delete(listener),
  };
  const abort = (): void => {
    if (aborted) return;
    aborted = true;
    for (const listener of listeners) listener();
  };
  return { signal, abort };
}

/** Creates the machine and starts to restore the session. */
export function startShell(
  config: MachineConfig,
  policy: SessionPolicy,
  platform: Platform,
  observers: Shell['observers'],
): Shell {
  const state = initialState(platform.random(), policy, platform.clock.now());
  const shell: Shell = {
    config,
    policy,
    platform,
    state,
    snapshot: takeSnapshot(state),
    queue: [],
    isDispatching: false,
    isDisposed: false,
    callers: new Map(),
    nextCaller: 1,
    locks: new Map(),
    exchanges: new Map(),
    vaultTail: Promise.resolve(),
    cancelWake: () => {},
    stopSignals: () => {},
    listeners: new Set(),
    observers,
  };
  shell.stopSignals = platform.signals((signal) => dispatch(shell, { type: 'signalled', signal }));
  dispatch(shell, { type: 'started' });
  return shell;
}

/** Feeds one event to the machine and runs what it asks for. Safe to call from anywhere, also from within itself. */
export function dispatch(shell: Shell, event: SessionEvent): void {
  if (shell.isDisposed) return;
  shell.queue.push(event);
  if (shell.isDispatching) return;
  shell.isDispatching = true;
  try {
    for (let next = shell.queue.shift(); next !== undefined; next = shell.queue.shift()) {
      const [state, effects] = transition(shell.state, next, shell.platform.clock.now(), shell.policy, shell.config);
      shell.state = state;
      for (const effect of effects) runEffect(shell, effect);
    }
  } finally {
    shell.isDispatching = false;
  }
  armWake(shell);
  const snapshot = keepIfEqual(shell.snapshot, takeSnapshot(shell.state));
  if (snapshot === shell.snapshot) return;
  shell.snapshot = snapshot;
  for (const listener of Array.from(shell.listeners)) callSafely(listener);
}

/** A listener that throws must not stop the session; its error still surfaces as an uncaught one. */
function callSafely(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    void Promise.resolve().then(() => {
      throw error;
    });
  }
}

function armWake(shell: Shell): void {
  shell.cancelWake();
  const delayMs = nextWakeInMs(shell.state, shell.platform.clock.now(), shell.policy, shell.config);
  shell.cancelWake =
    delayMs === null ? () => {} : shell.platform.clock.wake(delayMs, () => dispatch(shell, { type: 'woke' }));
}

function runEffect(shell: Shell, effect: Effect): void {
  switch (effect.type) {
    case 'acquireLock':
      return acquireLock(shell, effect.attempt, effect.waitMs);
    case 'releaseLock':
      return releaseLock(shell, effect.attempt);
    case 'readVault':
      return useVault(shell, effect.operation, async () => {
        const record = await shell.platform.vault.read();
        return { type: 'vaultRead', operation: effect.operation, record };
      });
    case 'writeVault':
      return useVault(shell, effect.operation, async () => {
        const { operation, expectedStamp, session, endedReason } = effect;
        const { replaced, record } = await shell.platform.vault.replace(expectedStamp, { session, endedReason });
        return { type: 'vaultWritten', operation, isReplaced: replaced, record };
      });
    case 'sendRefresh':
      return sendRefresh(shell, effect.attempt, effect.request);
    case 'abortRefresh':
      return shell.exchanges.get(effect.attempt)?.abort();
    case 'revoke':
      return void revoke(shell, effect.session);
    case 'announce':
      // After the write that it tells of.
      shell.vaultTail = shell.vaultTail.then(() => callSafely(shell.platform.announce));
      return;
    case 'settle':
      return settle(shell, effect.caller, effect.settlement);
    case 'observe':
      for (const observer of Array.from(shell.observers)) callSafely(() => observer(effect.observation));
      return;
  }
}

function acquireLock(shell: Shell, attempt: number, waitMs: number): void {
  shell.locks.set(attempt, null);
  const settleLock = (release: (() => void) | null): void => {
    if (!shell.locks.has(attempt) || shell.isDisposed) return release?.();
    shell.locks.set(attempt, release);
    dispatch(shell, { type: 'lockSettled', attempt, isHeld: release !== null });
  };
  shell.platform.mutex(waitMs).then(settleLock, () => settleLock(null));
}

function releaseLock(shell: Shell, attempt: number): void {
  const release = shell.locks.get(attempt);
  shell.locks.delete(attempt);
  // The next tab must find what this one wrote.
  if (release) shell.vaultTail = shell.vaultTail.then(release);
}

function useVault(shell: Shell, operation: number, work: () => Promise<SessionEvent>): void {
  const { clock, random } = shell.platform;
  shell.vaultTail = shell.vaultTail.then(
    () =>
      new Promise((resolve) => {
        let isSettled = false;
        const finish = (event: SessionEvent): void => {
          if (isSettled) return;
          isSettled = true;
          cancel();
          resolve();
          dispatch(shell, event);
        };
        const giveUp = (): void => finish({ type: 'vaultUnavailable', operation, random: random() });
        const cancel = clock.wake(shell.policy.vaultWaitMs, giveUp);
        work().then(finish, giveUp);
      }),
  );
}

function sendRefresh(shell: Shell, attempt: number, request: HttpRequest): void {
  const { random, transport } = shell.platform;
  const abort = createAbort();
  shell.exchanges.set(attempt, abort);
  const finish = (event: SessionEvent): void => {
    shell.exchanges.delete(attempt);
    dispatch(shell, event);
  };
  transport(request, abort.signal).then(
    (answer) => finish({ type: 'refreshAnswered', attempt, answer, random: random() }),
    () => finish({ type: 'refreshFailed', attempt, random: random() }),
  );
}

function settle(shell: Shell, caller: number, settlement: Settlement): void {
  const waiting = shell.callers.get(caller);
  shell.callers.delete(caller);
  if (settlement.ok) return waiting?.resolve(settlement);
  waiting?.reject(new HoldfastError(settlement.code, PARKED_MESSAGES[settlement.code] ?? 'the request was not sent'));
}

const PARKED_MESSAGES: Partial<Record<HoldfastError['code'], string>> = {
  'signed-out': 'there is no session',
  'user-changed': 'another user signed in while the request was parked',
  'deadline-exceeded': 'the request was parked for longer than its deadline',
  'queue-full': 'too many requests are parked already',
};

/** Waits for a usable access token newer than `newerThan`. The caller's abort ends its own wait, never the refresh. */
export function requestToken(
  shell: Shell,
  options: { readonly newerThan?: number; readonly deadlineMs?: number; readonly signal?: AbortSignal | null },
): Promise<GrantedToken> {
  const { newerThan = 0, deadlineMs = shell.policy.parkDeadlineMs, signal } = options;
  if (shell.isDisposed) return Promise.reject(new HoldfastError('disposed', 'the service was disposed of'));
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const caller = shell.nextCaller++;
    const onAbort = (): void => {
      shell.callers.delete(caller);
      dispatch(shell, { type: 'callerLeft', caller });
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', onAbort);
    const leave = (): void => signal?.removeEventListener('abort', onAbort);
    shell.callers.set(caller, {
      resolve: (token) => (leave(), resolve(token)),
      reject: (error) => (leave(), reject(error)),
    });
    dispatch(shell, { type: 'tokenRequested', caller, newerThan, deadlineMs });
  });
}

/** One HTTP exchange with the client's response deadline. Rejects with a retryable error when there was no answer. */
export async function exchange(shell: Pick<Shell, 'platform' | 'policy'>, request: HttpRequest): Promise<HttpAnswer> {
  const { clock, transport } = shell.platform;
  const abort = createAbort();
  const cancel = clock.wake(shell.policy.responseDeadlineMs, abort.abort);
  try {
    return await transport(request, abort.signal);
  } catch (cause) {
    throw new HoldfastError('server-unavailable', 'the authorization server did not answer', { cause });
  } finally {
    cancel();
  }
}

const REVOCATION_TRIES = 5;

/** Ends the session at the server in the background. The local data is gone already, whatever becomes of this. */
async function revoke(shell: Shell, session: StoredSession): Promise<void> {
  const { clock, random } = shell.platform;
  const request = revocationRequest(shell.config.wire, session);
  for (let failures = 0; failures < REVOCATION_TRIES; failures++) {
    const status = await exchange(shell, request).then(
      (answer) => answer.status,
      () => 503,
    );
    if (status < 500 && status !== 429) return;
    const delayMs =
      Math.min(shell.policy.backoffCapMs, shell.policy.backoffBaseMs * 2 ** failures) * (0.5 + random() / 2);
    await new Promise<void>((resolve) => void clock.wake(delayMs, resolve));
  }
}

/** Stops the machine: no timer, no listener, no exchange is left, and who waits is told. The session itself stays. */
export function disposeShell(shell: Shell): void {
  if (shell.isDisposed) return;
  shell.isDisposed = true;
  shell.cancelWake();
  shell.stopSignals();
  for (const { abort } of shell.exchanges.values()) abort();
  for (const release of shell.locks.values()) release?.();
  shell.locks.clear();
  for (const { reject } of shell.callers.values()) reject(new HoldfastError('disposed', 'the service was disposed of'));
  shell.callers.clear();
  shell.listeners.clear();
}
