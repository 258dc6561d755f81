import type { Clock } from './ports.ts';

/** What `promise` resolves with, if it settles within `ms`; otherwise rejects with `late`. For ports that may never answer. */
export async function within<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
  late = new Error(`no answer within ${ms} ms`),
): Promise<T> {
  let cancel = (): void => {};
  const isLate = new Promise<never>((_resolve, reject) => {
    cancel = clock.wake(ms, () => reject(late));
  });
  try {
    return await Promise.race([promise, isLate]);
  } finally {
    cancel();
  }
}

/** Why a caller has left. Engines such as React Native's have no `reason`. */
const reasonOf = ({ reason }: AbortSignal): Error =>
  (reason as Error | undefined) ?? Object.assign(new Error('aborted'), { name: 'AbortError' });

/** Rejects with the abort's reason what a caller does not wait for any more. */
export function refuseAborted(signal: AbortSignal | null | undefined): void {
  if (signal?.aborted) throw reasonOf(signal);
}

/** What `promise` settles with, unless its caller aborts first: then `leave` is called, and it rejects with the abort's reason. */
export async function unlessAborted<T>(
  signal: AbortSignal | null | undefined,
  promise: Promise<T>,
  leave: () => void = () => {},
): Promise<T> {
  if (!signal) return promise;
  let abort = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => {
      leave();
      reject(reasonOf(signal));
    };
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
