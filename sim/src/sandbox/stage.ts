import type { Buffer } from 'node:buffer';

/** The surroundings of the code under test: random bytes and `setImmediate`. */
export type Surroundings = { randomBytes(length: number): Buffer; soon(callback: () => void): void };

let current: Surroundings | null = null;

/** Sets the surroundings of the code under test. One world plays at a time on a thread. */
export function enterStage(surroundings: Surroundings): void {
  current = surroundings;
}

/**
 * Returns the surroundings of the playing world.
 *
 * @throws Error outside a world, where no seed would control the code
 */
export function stage(): Surroundings {
  if (current === null) throw new Error('no world is playing');
  return current;
}
