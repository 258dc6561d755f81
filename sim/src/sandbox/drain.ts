import process from 'node:process';

// Settles every promise that can settle, between two events. This is what Node itself does after each callback. A turn
// of the event loop would do the same, but takes ten times as long.

const tick = (process as { readonly _tickCallback?: unknown })._tickCallback;

/**
 * Runs everything that waits only for a free stack: promise reactions, `process.nextTick`, and the report of unhandled
 * rejections. Does nothing inside a promise reaction, see {@link outsidePromises}.
 */
export const drain = tick as () => void;

/**
 * Runs `work` outside promise reactions, where it can {@link drain}.
 *
 * @throws Error in a Node that cannot drain, because a world would go on while its promises are pending
 */
export function outsidePromises(work: () => void): Promise<void> {
  if (typeof tick !== 'function') throw new Error('this version of Node cannot settle promises between two events');
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(work());
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}
