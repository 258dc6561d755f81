import type { Policy } from '../kernel/policy.ts';
import type { Subscriber } from '../storage/event-store.ts';
import type { Store } from '../storage/store.ts';
import { createAttemptStore } from './attempt-store.ts';
import { createAuthorizationCodeStore, type CodePolicy } from './code-store.ts';
import type { Connections } from './connections.ts';
import { createEventRecorder, createEventStore } from './event-store.ts';
import { createMassEndingStore } from './mass-ending-store.ts';
import { createPasskeyStore } from './passkey-store.ts';
import { createSessionStore } from './session-store.ts';
import { createSigningKeyStore } from './signing-key-store.ts';
import { createSubjectStore, loadBuckets } from './subject-store.ts';
import { createUserStore } from './user-store.ts';
import { createWebhookStore } from './webhook-store.ts';

type StorePolicy = CodePolicy & Pick<Policy, 'rotationIntervalMs'>;

/**
 * Opens the store in PostgreSQL; the schema must exist. {@link Store} is its contract.
 *
 * @param subscribers endpoints that receive events by webhook
 * @throws HoldfastServerError `unavailable`
 */
export async function openStore(
  connections: Connections,
  policy: StorePolicy,
  subscribers: readonly Subscriber[] = [],
): Promise<Store> {
  const bucketOf = await loadBuckets(connections);
  const recordEvents = createEventRecorder(subscribers);
  return {
    subjects: createSubjectStore(connections, bucketOf),
    sessions: createSessionStore(connections, policy, bucketOf, recordEvents),
    codes: createAuthorizationCodeStore(connections, policy, bucketOf, recordEvents),
    endings: createMassEndingStore(connections, bucketOf, recordEvents),
    users: createUserStore(connections, bucketOf),
    passkeys: createPasskeyStore(connections, bucketOf),
    attempts: createAttemptStore(connections),
    signingKeys: createSigningKeyStore(connections),
    events: createEventStore(connections, recordEvents),
    webhooks: createWebhookStore(connections),
  };
}
