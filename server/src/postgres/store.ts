import { toSessionCreated, toStoredEvent } from '../event-log.ts';
import type { Policy } from '../policy.ts';
import type { AuthorizationCodeStore, Store } from '../store.ts';
import { createAttemptStore } from './attempt-store.ts';
import { run, transact } from './connections.ts';
import type { Connections } from './connections.ts';
import { createEventRecorder, createEventStore } from './event-store.ts';
import type { RecordEvents, Subscriber } from './event-store.ts';
import { createPasskeyStore } from './passkey-store.ts';
import { CREATE } from './session-statements.ts';
import { createSigningKeyStore } from './signing-key-store.ts';
import { bucketOf, createSessionStore, toDelivery } from './session-store.ts';
import type { DeliveryRow } from './session-store.ts';
import { createUserStore } from './user-store.ts';
import { createWebhookStore } from './webhook-store.ts';

type StorePolicy = Pick<Policy, 'rotationIntervalMs' | 'authorizationCodeLifetimeSeconds'>;

/**
 * The store in PostgreSQL; {@link Store} is its contract.
 *
 * @param subscribers who gets which events by webhook
 */
export function createStore(
  connections: Connections,
  policy: StorePolicy,
  subscribers: readonly Subscriber[] = [],
): Store {
  const recordEvents = createEventRecorder(subscribers);
  return {
    sessions: createSessionStore(connections, policy, recordEvents),
    codes: createAuthorizationCodeStore(connections, policy, recordEvents),
    users: createUserStore(connections, recordEvents),
    passkeys: createPasskeyStore(connections),
    attempts: createAttemptStore(connections),
    signingKeys: createSigningKeyStore(connections),
    events: createEventStore(connections, recordEvents),
    webhooks: createWebhookStore(connections),
  };
}

interface CodeRow {
  readonly client_id: string;
  readonly code_challenge: string;
  readonly dpop_jkt: string | null;
  readonly is_expired: boolean;
  readonly session_id: string | null;
}

/**
 * The lock on the user makes it wait for a change that is voiding sign-ins, and such a change wait for it: the session is
 * either there to be ended or not made.
 */
const CONSUME = `
  WITH holder AS (
    SELECT a.code_hash FROM holdfast.authorization_codes AS a
    JOIN holdfast.users AS u ON u.id = a.user_id AND u.sign_in_epoch = a.sign_in_epoch AND u.disabled_at IS NULL
    WHERE a.code_hash = $1 FOR SHARE OF u
  )
  UPDATE holdfast.authorization_codes AS a SET session_id = $2 FROM holder
  WHERE a.code_hash = holder.code_hash AND a.session_id IS NULL AND a.expires_at > now()`;

function createAuthorizationCodeStore(
  { durable }: Connections,
  policy: StorePolicy,
  recordEvents: RecordEvents,
): AuthorizationCodeStore {
  return {
    insert: async (code) => {
      await run(durable, {
        text: `
          INSERT INTO holdfast.authorization_codes
            (code_hash, client_id, user_id, scope, code_challenge, amr, acr, replaces, dpop_jkt, sign_in_epoch,
              auth_time, expires_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now(), now() + make_interval(secs => $11::float8))`,
        values: [
          code.codeHash,
          code.clientId,
          code.sub,
          code.scope.join(' '),
          code.codeChallenge,
          code.amr.join(' '),
          code.acr,
          code.replaces,
          code.jkt,
          code.signInEpoch,
          policy.authorizationCodeLifetimeSeconds,
        ],
      });
    },
    find: async (codeHash) => {
      const [row] = await run<CodeRow>(durable, {
        text: `
          SELECT client_id, code_challenge, dpop_jkt, session_id, expires_at <= now() AS is_expired
          FROM holdfast.authorization_codes WHERE code_hash = $1`,
        values: [codeHash],
      });
      if (row === undefined) return null;
      return {
        clientId: row.client_id,
        codeChallenge: row.code_challenge,
        jkt: row.dpop_jkt,
        isExpired: row.is_expired,
        sid: row.session_id,
      };
    },
    exchange: (codeHash, { sid, jkt, lifetimes, nonce, address, userAgent }) =>
      transact(durable, async (client) => {
        const consumed = await client.query({ text: CONSUME, values: [codeHash, sid] });
        if (consumed.rowCount !== 1) return null;
        const { rows } = await client.query<DeliveryRow>({
          text: CREATE,
          values: [
            bucketOf(sid),
            sid,
            address,
            userAgent,
            lifetimes.inactivityTimeoutSeconds,
            lifetimes.absoluteLifetimeSeconds,
            nonce,
            codeHash,
            jkt,
          ],
        });
        if (rows[0] === undefined) return null;
        const delivery = toDelivery(rows[0]);
        await recordEvents(client, [toStoredEvent(toSessionCreated(delivery.record, address))]);
        return delivery;
      }),
  };
}
