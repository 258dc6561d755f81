import { Buffer } from 'node:buffer';

/** The session and the generation in a refresh token. */
export type RefreshCopy = { readonly sid: string; readonly generation: number };

/** Reads a refresh token: two bytes of key id, sixteen of session id, four of generation. */
export function readRefreshCopy(token: string): RefreshCopy {
  const bytes = Buffer.from(token.replace('hfrt_', ''), 'base64url');
  const hex = bytes.toString('hex', 2, 18);
  const sid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  return { sid, generation: bytes.readUInt32BE(18) };
}
