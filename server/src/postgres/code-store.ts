import type { Policy } from '../kernel/policy.ts';
import type { AuthorizationCodeStore } from '../storage/store.ts';
import { run, transact, type Connections } from './connections.ts';
import type { RecordEvents } from './event-store.ts';
import { exchange, type ExchangePolicy } from './exchange.ts';
import type { BucketOf } from './subject-store.ts';

export type CodePolicy = ExchangePolicy & Pick<Policy, 'authorizationCodeLifetimeSeconds'>;

type CodeRow = {
  readonly client_id: string;
  readonly code_challenge: string;
  readonly dpop_jkt: string | null;
  readonly is_expired: boolean;
  readonly session_id: string | null;
};

/**
 * Stores a code with the subject's sequence as this statement sees it. A sign-out that commits later thus voids the
 * code.
 */
const INSERT = `
  INSERT INTO holdfast.authorization_codes
    (code_hash, client_id, user_id, scope, code_challenge, amr, acr, dpop_jkt, sign_in_epoch, auth_time, expires_at,
      issued_sequence)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now() + make_interval(secs => $10::float8),
    coalesce((SELECT s.last_sequence FROM holdfast.subjects AS s WHERE s.bucket = $11 AND s.sub = $3), 0))`;

const FIND = `
  SELECT client_id, code_challenge, dpop_jkt, session_id, expires_at <= now() AS is_expired
  FROM holdfast.authorization_codes WHERE code_hash = $1`;

/** Authorization codes in PostgreSQL. */
export function createAuthorizationCodeStore(
  { durable }: Connections,
  policy: CodePolicy,
  bucketOf: BucketOf,
  recordEvents: RecordEvents,
): AuthorizationCodeStore {
  return {
    insert: async (code) => {
      await run(durable, {
        text: INSERT,
        values: [
          code.codeHash,
          code.clientId,
          code.sub,
          code.scope.join(' '),
          code.codeChallenge,
          code.amr.join(' '),
          code.acr,
          code.jkt,
          code.signInEpoch,
          policy.authorizationCodeLifetimeSeconds,
          bucketOf(code.sub),
        ],
      });
    },
    find: async (codeHash) => {
      const [row] = await run<CodeRow>(durable, { text: FIND, values: [codeHash] });
      if (row === undefined) return null;
      return {
        clientId: row.client_id,
        codeChallenge: row.code_challenge,
        jkt: row.dpop_jkt,
        isExpired: row.is_expired,
        sid: row.session_id,
      };
    },
    exchange: (codeHash, session) =>
      transact(durable, (client) => exchange({ client, policy, bucketOf, recordEvents }, codeHash, session)),
  };
}
