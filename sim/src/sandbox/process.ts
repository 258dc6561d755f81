import type { Clock, Signal } from '../../../client/src/core/ports.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { Setup } from './setup.ts';

/**
 * A page, or a process of an app: it can be frozen and killed between any two of its tasks. Everything that reaches it
 * (an answer, a timer, a read) is a task. A frozen process runs these tasks when it thaws.
 */
export type Process = {
  readonly name: string;
  /** True for a worker: it receives no news of other tabs and no other signal, and no user signs in there. */
  readonly isDeaf: boolean;
  isAlive: boolean;
  isFrozen: boolean;
  readonly held: (() => void)[];
  /** Time that the process has spent frozen, in ms. */
  frozenMs: number;
  frozenAtMs: number;
  thawedAtMs: number;
  readonly startedAtMs: number;
  /** When it last heard that the store had changed. */
  newsAtMs: number;
  /** The listeners for signals of the platform. */
  readonly listeners: Set<(signal: Signal) => void>;
};

/** The clocks of one device. */
export type DeviceClock = {
  /** How far the wall clock is off, in ms. */
  offsetMs: number;
  /** How long the device has slept so far, in ms. The monotonic clock may be behind by that time. */
  sleptMs: number;
  /** Since when the device sleeps; `null` while it is awake. */
  asleepSinceMs: number | null;
};

/** The parts of the world that tabs and their device need. */
export type Ground = { readonly scheduler: Scheduler; readonly random: Random; readonly setup: Setup };

export function createProcess(name: string, isDeaf: boolean, { scheduler }: Ground): Process {
  const process = newProcess(name, isDeaf, scheduler.nowMs());
  process.listeners.add((signal) => {
    if (signal === 'store-changed') process.newsAtMs = scheduler.nowMs();
  });
  return process;
}

const newProcess = (name: string, isDeaf: boolean, startedAtMs: number): Process => ({
  name,
  isDeaf,
  isAlive: true,
  isFrozen: false,
  held: [],
  frozenMs: 0,
  frozenAtMs: 0,
  thawedAtMs: -Infinity,
  startedAtMs,
  newsAtMs: -Infinity,
  listeners: new Set(),
});

/** Runs a task of a process: now, at its thaw if it is frozen, or never if it is dead. */
export function runTask(process: Process, task: () => void): void {
  if (!process.isAlive) return;
  if (process.isFrozen) process.held.push(task);
  else task();
}

/** Sends a signal of the platform to a process. */
export function emitSignal(process: Process, signal: Signal): void {
  if (process.isDeaf) return;
  runTask(process, () => {
    for (const listener of process.listeners) listener(signal);
  });
}

export function freeze(process: Process, { scheduler }: Ground): void {
  if (process.isFrozen || !process.isAlive) return;
  process.isFrozen = true;
  process.frozenAtMs = scheduler.nowMs();
  scheduler.note(process.name, 'freezes');
}

/** Thaws a process. Its held tasks run one after the other in random order, with the `resumed` signal among them. */
export function thaw(process: Process, { scheduler, random }: Ground): void {
  if (!process.isFrozen || !process.isAlive) return;
  process.isFrozen = false;
  process.frozenMs += scheduler.nowMs() - process.frozenAtMs;
  process.thawedAtMs = scheduler.nowMs();
  scheduler.note(process.name, `thaws, ${process.held.length} tasks held`);
  const tasks = process.held.splice(0);
  tasks.splice(random.int(0, tasks.length), 0, () => emitSignal(process, 'resumed'));
  while (tasks.length > 0) {
    const [task] = tasks.splice(random.chance(0.5) ? 0 : random.int(0, tasks.length - 1), 1);
    if (task) scheduler.after(0, () => runTask(process, task));
  }
  scheduler.after(random.int(0, 5), () => emitSignal(process, 'foreground'));
}

/** The clock port of a process. */
export function processClock(process: Process, device: DeviceClock, ground: Ground): Clock {
  const { scheduler, random, setup } = ground;
  const asleepMs = (): number => {
    if (!setup.sleepStopsClock) return 0;
    return device.sleptMs + (device.asleepSinceMs === null ? 0 : scheduler.nowMs() - device.asleepSinceMs);
  };
  const sleptBeforeMs = asleepMs();
  const monotonicMs = (): number => scheduler.nowMs() - process.startedAtMs - (asleepMs() - sleptBeforeMs) + 1_000;
  return {
    now: () => ({ wallMs: scheduler.nowMs() + device.offsetMs, monotonicMs: monotonicMs() }),
    wake: (delayMs, callback) => {
      const dueMs = monotonicMs() + delayMs;
      let isCancelled = false;
      const arm = (leftMs: number): (() => void) => scheduler.after(leftMs, () => runTask(process, look));
      const look = (): void => {
        if (isCancelled) return;
        // The monotonic clock may have stood still meanwhile.
        const leftMs = dueMs - monotonicMs();
        if (leftMs > 0) cancelTimer = arm(leftMs);
        else callback();
      };
      const isLate = random.chance(setup.faults.timerLate);
      const latenessMs = isLate ? random.int(0, 60_000) : 0;
      let cancelTimer = arm(delayMs + latenessMs);
      return () => {
        isCancelled = true;
        cancelTimer();
      };
    },
  };
}
