import type { Clock } from './ports.ts';

/** What `promise` resolves with, if it settles within `ms`; otherwise rejects. For ports that may never answer. */
export async function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
  let cancel = (): void => {};
  const late = new Promise<never>((_resolve, reject) => {
    cancel = clock.wake(ms, () => reject(new Error(`no answer within ${ms} ms`)));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel();
  }
}
