import type { Buffer } from 'node:buffer';
import { stage } from './stage.ts';

// Replaces `node:crypto` in the bundle: random functions draw from the world, all others are Node's own.

export * from 'node:crypto';

export const randomBytes = (length: number): Buffer => stage().randomBytes(length);

export const randomUUID = (): string => {
  const hex = randomBytes(16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
};
