import type { Client } from '../registrations/clients.ts';
import type { SessionRecord } from '../storage/store.ts';
import { parseRefreshToken } from '../tokens/refresh-token.ts';
import type { InspectedCopy, SessionsParts } from './requests.ts';

/** Most copies that one request may bring; the rest are ignored. No browser has more of our cookies. */
export const MAX_COPIES = 256;

/** Reads the sessions, live or ended, whose copies are genuine by tag and secret. */
export async function readCopies(
  copies: readonly string[],
  { store, keyRing }: Pick<SessionsParts, 'store' | 'keyRing'>,
): Promise<readonly SessionRecord[]> {
  const tokens = [...new Set(copies)].slice(0, MAX_COPIES).flatMap((copy) => {
    const parsed = parseRefreshToken(copy, keyRing);
    return parsed.kind === 'genuine' ? [parsed.token] : [];
  });
  if (tokens.length === 0) return [];
  const readings = await store.read(tokens);
  return readings.flatMap((reading) => (reading?.isSecretGenuine ? [reading.record] : []));
}

/**
 * Reads the state of every session with a genuine copy. If the session's row is deleted, the session counts as over.
 */
export async function inspectCopies(
  copies: readonly string[],
  { store, keyRing }: Pick<SessionsParts, 'store' | 'keyRing'>,
): Promise<readonly InspectedCopy[]> {
  const parsed = [...new Set(copies)].slice(0, MAX_COPIES).flatMap((copy) => {
    const { kind, token } = { token: null, ...parseRefreshToken(copy, keyRing) };
    return kind === 'genuine' && token !== null ? [{ copy, token }] : [];
  });
  if (parsed.length === 0) return [];
  const readings = await store.read(parsed.map(({ token }) => token));
  return parsed.flatMap(({ copy, token: { sid } }, index): readonly InspectedCopy[] => {
    const reading = readings[index] ?? null;
    if (reading === null) return [{ copy, sid, record: null, isAlive: false }];
    const { record, isSecretGenuine } = reading;
    return isSecretGenuine ? [{ copy, sid, record, isAlive: isAlive(record) }] : [];
  });
}

/**
 * Finds the live session with a genuine copy and the largest sequence in the chain of `sid`, other than `sid` itself.
 */
export async function findSuccessor(
  sid: string,
  { clientId }: Client,
  copies: readonly string[],
  parts: SessionsParts,
): Promise<string | null> {
  if (copies.length === 0) return null;
  const member = await parts.store.findMember(sid);
  if (member === null || member.clientId !== clientId) return null;
  const [newest] = (await readCopies(copies, parts))
    .filter(
      (record) =>
        record.sid !== sid && record.sub === member.sub && record.deviceId === member.deviceId && isAlive(record),
    )
    .toSorted((a, b) => b.deviceSequence - a.deviceSequence);
  return newest?.sid ?? null;
}

function isAlive({ revokedReason, idleExpiresAtMs, expiresAtMs, nowMs }: SessionRecord): boolean {
  return revokedReason === null && idleExpiresAtMs > nowMs && expiresAtMs > nowMs;
}
