import { randomInt } from 'node:crypto';
import type { StoredSession, Vault, VaultRecord } from '../core/ports.ts';
import { privateFile } from './private-file.ts';
import { assertWritable, type Warn } from './private-path.ts';

const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string';
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isAccess(value: unknown): boolean {
  if (value === null) return true;
  if (!isObject(value)) return false;
  const { value: token, tokenType, expiresAtMs, lifetimeMs } = value;
  const isKnownType = tokenType === 'Bearer' || tokenType === 'DPoP';
  return typeof token === 'string' && isKnownType && Number.isFinite(expiresAtMs) && Number.isFinite(lifetimeMs);
}

/** Members that are not known here are kept as they are: a later version may have written them. */
function isStoredSession(value: unknown): value is StoredSession {
  if (!isObject(value)) return false;
  const { sid, sub, refreshToken, scope, startedAtMs, expiresAtMs, access } = value;
  const isDeadline = expiresAtMs === null || Number.isFinite(expiresAtMs);
  return (
    [sid, sub, refreshToken, scope].every(isTextOrNull) &&
    Number.isFinite(startedAtMs) &&
    isDeadline &&
    isAccess(access)
  );
}

/** A record as the file holds it, or `null` if it is none. */
export function decodeRecord(json: object): VaultRecord | null {
  const { stamp, session, endedReason } = json as Partial<Record<keyof VaultRecord, unknown>>;
  if (!Number.isSafeInteger(stamp) || !isTextOrNull(endedReason)) return null;
  return session === null || isStoredSession(session) ? (json as VaultRecord) : null;
}

/** A file that was lost and written again must not bear a stamp that somebody still remembers. */
const firstStamp = (): number => randomInt(1, 2 ** 47);

/**
 * The session in a JSON file that only its owner may read, shared by all processes that name the same file. Written whole,
 * forced to disk, compared and swapped under a lock between processes.
 */
export function fileVault(file: string, warn: Warn): Vault {
  const lost = (): VaultRecord => ({ stamp: firstStamp(), session: null, endedReason: 'storage-lost' });
  const stored = privateFile(file, decodeRecord, warn, lost);
  return {
    read: async () => {
      const record = await stored.read();
      // Not read for a refresh: a refresh token that the server rotated could not be kept.
      if (record?.session) assertWritable(file);
      return record;
    },
    replace: async (expectedStamp, next) => {
      let isExpected = false;
      const record = await stored.update((before) => {
        isExpected = expectedStamp === null || expectedStamp === (before?.stamp ?? 0);
        return isExpected ? { ...next, stamp: before ? before.stamp + 1 : firstStamp() } : null;
      });
      return { replaced: isExpected, record };
    },
  };
}
