import type { Policy } from '../kernel/policy.ts';

/** The part of a published signing key that the schedule uses. */
export type ScheduledKey = {
  readonly kid: string;
  readonly algorithm: string;
  /**
   * Start of its use for signing, which ends when a later key begins. Milliseconds since the epoch, database's clock.
   */
  readonly signsFromMs: number;
};

/** Role of a key at a given time. It follows from the times alone, so that no two nodes can set it differently. */
export type KeyRole = 'next' | 'signing' | 'previous';

/** The changes that bring the set of keys in line with the schedule. */
export type KeyPlan = {
  /** Start of a new key's use for signing; null if no new key is needed. */
  readonly publishToSignFromMs: number | null;
  /** `kid`s of keys that signed no unexpired token. */
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
 * Returns the key that signs at a time: the last one that has begun; before all of them, the first.
 *
 * @param keys in signing order
 */
export function signingKeyAt<Key extends ScheduledKey>(keys: readonly Key[], nowMs: number): Key | null {
  return keys.findLast(({ signsFromMs }) => signsFromMs <= nowMs) ?? keys[0] ?? null;
}

/** Returns each key's role at a time, by `kid`. @param keys in signing order */
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
 * Plans the changes to the keys. A key is published `signingKeyLeadSeconds` before it signs, so that every node and
 * every cached key set has it by then. It is removed when the last token that it signed has expired.
 *
 * @param keys in signing order
 */
export function planKeys(keys: readonly ScheduledKey[], nowMs: number, policy: KeySchedulePolicy): KeyPlan {
  const signing = signingKeyAt(keys, nowMs);
  if (signing === null) return { publishToSignFromMs: nowMs, remove: [] };
  const hasNext = keys.at(-1) !== signing;
  const leadMs = policy.signingKeyLeadSeconds * 1_000;
  // After a change of algorithm the rotation does not wait for the end of the key's lifetime.
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

/**
 * How long a key is kept after its successor has begun. A node that could not read the keys may have signed with it
 * longer.
 */
function retentionMs(policy: KeySchedulePolicy): number {
  const { accessTokenLifetimeSeconds, clockToleranceSeconds, signingKeyPollSeconds } = policy;
  return (accessTokenLifetimeSeconds + clockToleranceSeconds + 2 * signingKeyPollSeconds) * 1_000;
}
