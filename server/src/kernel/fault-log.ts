import type { Logger } from './logger.ts';

/** Logs faults by changes of state: one line when a fault begins, and one with a count when it is over. */
export type FaultLog = {
  /** Notes one occurrence of a fault. */
  readonly note: (fault: Fault) => void;
  /** Logs the counts of the faults that are not over. Idempotent. */
  readonly close: () => void;
};

export type Fault = {
  /** Kind of the fault: from a closed set, never text from a request. */
  readonly kind: string;
  readonly level: 'warn' | 'error';
  readonly message: string;
  /** Details of the first occurrence. */
  readonly fields: object;
  /** The fault is over after this long without an occurrence; longer for rare operations. Default: a minute. */
  readonly quietMs?: number;
};

/** Reads PostgreSQL's code from an error; null when PostgreSQL did not answer. */
export type SqlStateOf = (error: unknown) => string | null;

/** A fault that is not over. */
type Standing = {
  /** The last occurrence. */
  fault: Fault;
  readonly sinceMs: number;
  lastMs: number;
  count: number;
  timer: NodeJS.Timeout;
};

const QUIET_MS = 60_000;
/** Kinds of faults logged separately at a time; further faults share one kind. */
const KINDS_LIMIT = 100;

/** @param now this host's wall clock, in milliseconds since the epoch */
export function createFaultLog(logger: Logger, now: () => number = Date.now): FaultLog {
  const standing = new Map<string, Standing>();
  const end = (kind: string, each: Standing): void => {
    clearTimeout(each.timer);
    standing.delete(kind);
    const { fault, count, sinceMs, lastMs } = each;
    // A single occurrence was already logged when it began.
    if (count > 1)
      logger[fault.level]({ kind, count, seconds: Math.ceil((lastMs - sinceMs) / 1_000) }, `over: ${fault.message}`);
  };
  const watch = (kind: string, waitMs: number): NodeJS.Timeout =>
    setTimeout(() => {
      const each = standing.get(kind);
      if (each === undefined) return;
      const leftMs = each.lastMs + (each.fault.quietMs ?? QUIET_MS) - now();
      if (leftMs > 0) each.timer = watch(kind, leftMs);
      else end(kind, each);
    }, waitMs).unref();
  return {
    note: (fault) => {
      const isKnown = standing.has(fault.kind) || standing.size < KINDS_LIMIT;
      const kind = isKnown ? fault.kind : 'further faults';
      const before = standing.get(kind);
      if (before !== undefined) {
        before.count++;
        before.fault = fault;
        before.lastMs = now();
        return;
      }
      logger[fault.level]({ kind, ...fault.fields }, fault.message);
      const quietMs = fault.quietMs ?? QUIET_MS;
      standing.set(kind, { fault, sinceMs: now(), lastMs: now(), count: 1, timer: watch(kind, quietMs) });
    },
    close: () => {
      for (const [kind, each] of standing) end(kind, each);
    },
  };
}
