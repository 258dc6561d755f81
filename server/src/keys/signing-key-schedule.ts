import type { Policy } from '../kernel/policy.ts';

/** A published signing key, as far as the schedule is concerned. */
export type ScheduledKey = {
  readonly kid: string;
  readonly algorithm: string;
  /** From then on it signs, until a later one does. Milliseconds since the epoch, by the database's clock. */
  readonly signsFromMs: number;
};

/** What a key does at a given time. Roles follow from times alone: no column that two nodes could set differently. */
export type KeyRole = 'next' | 'signing' | 'previous';

/** What has to change for the set of keys to be as the schedule wants it. */
export type KeyPlan = {
  /** When a new key is to sign; null when none is needed. */
  readonly publishToSignFromMs: number | null;
  /** Keys that no unexpired token was signed with. */
  readonly remove: readonly string[];
};

export type KeySchedulePolicy = Pick<
  Policy,
  | 'signingAlgorithm'
  | 'signingKeyLifetimeSeconds'
  | 'signingKeyLeadSeconds'
  | 'signingKeyPollSeconds'
  | 'accessTokenLifetimeSeconds'
  | 'clockToleranceSeconds'
>;

/**
 * The key that signs at a time: the last one that has begun; before all of them, the first.
 *
 * @param keys in signing order
 */
export function signingKeyAt<Key extends ScheduledKey>(keys: readonly Key[], nowMs: number): Key | null {
  return keys.findLast(({ signsFromMs }) => signsFromMs <= nowMs) ?? keys[0] ?? null;
}

/** @param keys in signing order */
export function rolesAt(keys: readonly ScheduledKey[], nowMs: number): ReadonlyMap<string, KeyRole> {
  const signing = signingKeyAt(keys, nowMs);
  let role: KeyRole = 'previous';
  const roles = new Map<string, KeyRole>();
  for (const key of keys) {
    if (key === signing) roles.set(key.kid, 'signing');
    else roles.set(key.kid, role);
    if (key === signing) role = 'next';
  }
  return roles;
}

/**
 * Says what the set of keys needs. A key is published `signingKeyLeadSeconds` before it signs, so that every node and every
 * cached key set has it by then; it stays until the last token that it signed has expired.
 *
 * @param keys in signing order
 */
export function planKeys(keys: readonly ScheduledKey[], nowMs: number, policy: KeySchedulePolicy): KeyPlan {
  const signing = signingKeyAt(keys, nowMs);
  if (signing === null) return { publishToSignFromMs: nowMs, remove: [] };
  const hasNext = keys.at(-1) !== signing;
  const leadMs = policy.signingKeyLeadSeconds * 1_000;
  // A change of algorithm is a rotation that need not wait for the key's age.
  const dueMs =
    signing.algorithm === policy.signingAlgorithm
      ? signing.signsFromMs + policy.signingKeyLifetimeSeconds * 1_000
      : nowMs;
  const isDue = !hasNext && nowMs >= dueMs - leadMs;
  return {
    publishToSignFromMs: isDue ? Math.max(dueMs, nowMs + leadMs) : null,
    remove: keys.flatMap((key, index) => {
      const successor = keys[index + 1];
      return successor !== undefined && successor.signsFromMs + retentionMs(policy) <= nowMs ? [key.kid] : [];
    }),
  };
}

/** How long a key is kept after its successor has begun: a node that could not read the keys may have signed on for a while. */
function retentionMs(policy: KeySchedulePolicy): number {
  const { accessTokenLifetimeSeconds, clockToleranceSeconds, signingKeyPollSeconds } = policy;
  return (accessTokenLifetimeSeconds + clockToleranceSeconds + 2 * signingKeyPollSeconds) * 1_000;
}
