import type { Buffer } from 'node:buffer';
import { stage } from './stage.ts';

// Stands in for `node:crypto` in the bundle: what computes is the real thing, what draws is the world's.

export {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';

export const randomBytes = (length: number): Buffer => stage().randomBytes(length);
