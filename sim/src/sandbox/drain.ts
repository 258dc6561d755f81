import process from 'node:process';

// Between two events every promise that can settle settles. A turn of Node's event loop would do that as well, at ten times
// the price; this is what Node itself does after each callback.

const tick = (process as { readonly _tickCallback?: unknown })._tickCallback;

/**
 * Runs everything that waits for nothing but a free stack: promise reactions, `process.nextTick`, and the report of
 * rejections that nobody handles. Does nothing inside a promise reaction, see {@link outsidePromises}.
 */
export const drain = tick as () => void;

/**
 * Runs `work` where it can {@link drain}: with nothing of the promise that waits for it on the stack.
 *
 * @throws Error in a Node that cannot drain: a world would go on while its promises are pending
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
