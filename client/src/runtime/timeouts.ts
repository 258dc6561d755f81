import type { Clock } from '../core/ports.ts';

/** Settles as `promise` does if that happens within `ms`; otherwise rejects. For ports that may never answer. */
export const within = <T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const cancel = clock.wake(ms, () => reject(new Error(`timeout: ${ms} ms`)));
    promise.finally(cancel).then(resolve, reject);
  });

/** The reason of an abort. Engines such as React Native's have no `reason`. */
const reasonOf = ({ reason }: AbortSignal): Error =>
  (reason as Error | undefined) ?? Object.assign(new Error('aborted'), { name: 'AbortError' });

/** Settles as `promise` does. If the caller aborts first, calls `leave` and rejects with the abort's reason. */
export const unlessAborted = <T>(
  signal: AbortSignal | null | undefined,
  promise: Promise<T>,
  leave: () => void = () => {},
): Promise<T> =>
  signal
    ? new Promise((resolve, reject) => {
        const abort = (): void => {
          leave();
          reject(reasonOf(signal));
        };
        signal.addEventListener('abort', abort);
        if (signal.aborted) abort();
        promise.finally(() => signal.removeEventListener('abort', abort)).then(resolve, reject);
      })
    : promise;
