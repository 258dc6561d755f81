import { Buffer } from 'node:buffer';

/** A seeded random source. Two sources with the same seed and name always give the same numbers. */
export type Random = {
  /** A number in [0, 1). */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
  /** A wait with this mean, as between independent events (exponential). */
  wait(meanMs: number): number;
  bytes(length: number): Buffer;
  /** A separate source, so that the draws of one part never change those of another. */
  fork(name: string): Random;
};

/** FNV-1a over a string, 32 bits. */
export function hashText(text: string, start = 0x81_1c_9d_c5): number {
  let hash = start;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01_00_01_93);
  return hash >>> 0;
}

/** The generator is sfc32. */
export function createRandom(seed: number, name = 'world'): Random {
  let a = hashText(name);
  let b = seed >>> 0;
  let c = Math.floor(seed / 2 ** 32) >>> 0;
  let counter = 1;
  const next32 = (): number => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round++) next32();
  const next = (): number => next32() / 2 ** 32;
  return {
    next,
    int: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (probability) => next() < probability,
    pick: (items) => {
      const item = items[Math.floor(next() * items.length)];
      if (item === undefined) throw new RangeError('nothing to pick from');
      return item;
    },
    wait: (meanMs) => Math.ceil(-Math.log(1 - next()) * meanMs),
    bytes: (length) => {
      const bytes = Buffer.alloc(length);
      for (let at = 0; at < length; at++) bytes[at] = next32() & 0xff;
      return bytes;
    },
    fork: (fork) => createRandom(seed, `${name}/${fork}`),
  };
}
