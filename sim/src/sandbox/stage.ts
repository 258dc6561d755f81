import type { Buffer } from 'node:buffer';

/** What the code under test takes from its surroundings: chance and "as soon as possible". */
export type Surroundings = { randomBytes(length: number): Buffer; soon(callback: () => void): void };

let current: Surroundings | null = null;

/** One world plays at a time on a thread; it provides the surroundings of the code under test. */
export function enterStage(surroundings: Surroundings): void {
  current = surroundings;
}

/** @throws Error outside a world: then code would run that no seed controls */
export function stage(): Surroundings {
  if (current === null) throw new Error('no world is playing');
  return current;
}
