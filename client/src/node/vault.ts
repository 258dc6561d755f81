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

/** Checks the known members. Keeps unknown ones: a later version may have written them. */
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

/** Reads a vault record from the JSON of the file; `null` if it is none. */
export function decodeRecord(json: object): VaultRecord | null {
  const { version, session, endedReason } = json as Partial<Record<keyof VaultRecord, unknown>>;
  if (!Number.isSafeInteger(version) || !isTextOrNull(endedReason)) return null;
  return session === null || isStoredSession(session) ? (json as VaultRecord) : null;
}

/** Chooses the first version at random: after the file was lost, a process may still remember an old version. */
const firstVersion = (): number => randomInt(1, 2 ** 47);

/**
 * Creates the vault in a JSON file that only its owner may read. All processes that name this file share it. `replace`
 * compares and writes under a lock between processes, and syncs the file to disk.
 */
export function fileVault(file: string, warn: Warn): Vault {
  const lost = (): VaultRecord => ({ version: firstVersion(), session: null, endedReason: 'storage-lost' });
  const stored = privateFile(file, decodeRecord, warn, lost);
  return {
    read: async () => {
      const record = await stored.read();
      // Reject reads while the folder is not writable: a rotated refresh token could not be stored.
      if (record?.session) assertWritable(file);
      return record;
    },
    compareAndSwap: async (expectedVersion, next) => {
      let isExpected = false;
      const record = await stored.update((before) => {
        isExpected = expectedVersion === null || expectedVersion === (before?.version ?? 0);
        return isExpected ? { ...next, version: before ? before.version + 1 : firstVersion() } : null;
      });
      return { isSwapped: isExpected, record };
    },
  };
}
