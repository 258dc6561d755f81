import { createHash, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { Client, type QueryConfig } from 'pg';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { newSid } from '../kernel/ids.ts';
import { DEFAULT_POLICY } from '../kernel/policy.ts';
import { decide, LAST_GENERATION } from '../rotation/rotation.ts';
import type { RotationCandidate } from '../storage/store.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { closeConnections, openConnections } from './connections.ts';
import { migrate } from './migrations.ts';
import { toRecord, type SessionRow } from './session-rows.ts';
import { reading, rotation } from './session-store.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  await migrate(database.databaseUrl, 5_000);
  client = new Client({ connectionString: database.databaseUrl });
  await client.connect();
  // Rolled-back rows leave empty pages. A vacuum in between would tell the planner that pages hold no rows.
  await client.query('ALTER TABLE holdfast.sessions SET (autovacuum_enabled = off)');
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

const SEED = randomBytes(32);
const NONCES = { a: randomBytes(12), b: randomBytes(12), c: randomBytes(12) } as const;
const PROMPT_REDELIVERIES = 32;

/** The secret that the seed yields for a copy, computed outside the database. */
function secretOf(generation: number, nonce: Buffer): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(generation);
  return createHash('sha256').update(SEED).update(bytes).update(nonce).digest().subarray(0, 16);
}

/** Offsets from the database's clock, near every boundary. */
const anyOffsetMs = fc.oneof(
  fc.constantFrom(-60_001, -60_000, -59_999, -1, 0, 1, 59_999, 60_000, 60_001),
  fc.integer({ min: -100_000, max: 100_000 }),
);
/** Mostly the usual value: otherwise several deviations would hide the property under test. */
const mostly = <Usual, Rare>(usual: Usual, rare: fc.Arbitrary<Rare>): fc.Arbitrary<Usual | Rare> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: rare });
const anyNonce = fc.constantFrom(NONCES.a, NONCES.b, NONCES.c);
type Row = {
  readonly clientId: string;
  readonly scope: readonly string[];
  readonly jkt: string | null;
  readonly generation: number;
  readonly rotatedBy: Buffer | null;
  readonly deliveredMs: number;
  readonly redeliveries: number;
  readonly idleExpiresMs: number;
  readonly expiresMs: number;
  readonly revokedReason: string | null;
  readonly lastUsedMs: number | null;
};
const anyRow: fc.Arbitrary<Row> = fc.record({
  clientId: mostly('app', fc.constant('stranger')),
  scope: mostly(['notes', 'profile'], fc.subarray(['notes', 'profile'])),
  jkt: mostly(null, fc.constant('k')),
  generation: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom(LAST_GENERATION - 1, LAST_GENERATION)),
  rotatedBy: fc.option(anyNonce),
  deliveredMs: anyOffsetMs,
  redeliveries: fc.nat(2),
  idleExpiresMs: mostly(3_600_000, anyOffsetMs),
  expiresMs: mostly(86_400_000, anyOffsetMs),
  revokedReason: mostly(null, fc.constantFrom('reuse', 'signed_out')),
  lastUsedMs: fc.option(anyOffsetMs),
});
const anyUse = fc.record({
  behind: fc.oneof(fc.constant(0), fc.integer({ min: -2, max: 4 })),
  nonce: anyNonce,
  scope: mostly(null, fc.subarray(['notes', 'profile', 'admin'], { minLength: 1 })),
  isUserActive: fc.boolean(),
  isSecretGenuine: mostly(true, fc.constant(false)),
});
const anyPolicy = fc.record({
  rotationIntervalMs: fc.constantFrom(0, 1, 60_000),
  inactivityTimeoutSeconds: fc.constantFrom(1, 3_600),
});

async function insert(sid: string, row: Row): Promise<void> {
  await client.query(
    `INSERT INTO holdfast.sessions (bucket, id, user_id, client_id, scope, amr, acr, auth_time, seed, generation,
       rotated_by, redeliveries, revoked_reason, revoked_at, dpop_jkt, delivered_at, created_at, idle_expires_at, expires_at,
       created_address, created_user_agent, last_address, last_user_agent, device_id, device_sequence, last_used_at)
     SELECT get_byte(uuid_send(id), 0), id, gen_random_uuid(), $2, $3, 'pwd', 'aal1', now(), $4, $5, $6, $7, $8,
       CASE WHEN $8::text IS NULL THEN NULL ELSE now() END, $9,
       now() + make_interval(secs => $10), now(), now() + make_interval(secs => $11), now() + make_interval(secs => $12),
       '', '', '', '', id, 1, now() + make_interval(secs => $13)
     FROM (SELECT $1::uuid AS id) AS new`,
    [
      sid,
      row.clientId,
      row.scope.join(' '),
      SEED,
      row.generation,
      row.rotatedBy,
      row.redeliveries,
      row.revokedReason,
      row.jkt,
      row.deliveredMs / 1_000,
      row.idleExpiresMs / 1_000,
      row.expiresMs / 1_000,
      row.lastUsedMs === null ? null : row.lastUsedMs / 1_000,
    ],
  );
}

const LIVE: Row = {
  clientId: 'app',
  scope: ['notes'],
  jkt: null,
  generation: 0,
  rotatedBy: null,
  deliveredMs: -90_000,
  redeliveries: 0,
  idleExpiresMs: 3_600_000,
  expiresMs: 86_400_000,
  revokedReason: null,
  lastUsedMs: null,
};
const CANDIDATE = {
  nonce: NONCES.a,
  clientId: 'app',
  scope: null,
  isUserActive: true,
  inactivityTimeoutSeconds: 3_600,
  nextNonce: NONCES.a,
  address: '192.0.2.1',
  userAgent: 'test',
};

// If the two disagreed, a user could be rotated where the protocol says wait, or always take the slow path.
test('the rotating statement matches exactly the rows that `decide` rotates, and writes what it says', async () => {
  let rotations = 0;
  await fc.assert(
    fc.asyncProperty(anyRow, anyUse, anyPolicy, async (row, use, policy) => {
      const sid = newSid();
      const generation = Math.min(Math.max(row.generation - use.behind, 0), LAST_GENERATION);
      const secret = use.isSecretGenuine ? secretOf(generation, use.nonce) : randomBytes(16);
      const candidate: RotationCandidate = {
        sid,
        generation,
        nonce: use.nonce,
        secret,
        clientId: 'app',
        scope: use.scope?.join(' ') ?? null,
        isUserActive: use.isUserActive,
        inactivityTimeoutSeconds: policy.inactivityTimeoutSeconds,
        nextNonce: randomBytes(12),
        address: '',
        userAgent: '',
      };
      // One transaction, so that all statements see one now().
      await client.query('BEGIN');
      try {
        await insert(sid, row);
        const before = (await client.query<SessionRow & { is_secret_genuine: boolean }>(reading([candidate]))).rows[0];
        expect(before?.is_secret_genuine).toBe(use.isSecretGenuine);
        const record = before === undefined ? null : toRecord(before);
        const presented = {
          ...candidate,
          nonce: use.nonce.toString('hex'),
          scope: use.scope,
          jkt: null,
          isExtension: false,
        };
        const outcome = decide(record, presented, record?.nowMs ?? 0, {
          ...policy,
          promptRedeliveries: PROMPT_REDELIVERIES,
          aheadOfDatabase: 'heal',
        });
        const { rows } = await client.query<SessionRow & { secret: Buffer }>(rotation([candidate], policy));
        const isRotation = outcome.kind === 'rotate' && use.isSecretGenuine;
        expect(rows.length).toBe(isRotation ? 1 : 0);
        rotations += rows.length;
        const slidToMs = Math.min(
          (record?.nowMs ?? 0) + policy.inactivityTimeoutSeconds * 1_000,
          record?.expiresAtMs ?? 0,
        );
        expect(rows.map(toRecord)).toEqual(
          rows.map(() => ({
            ...record,
            generation: generation + 1,
            rotatedBy: presented.nonce,
            deliveredAtMs: record?.nowMs,
            redeliveries: 0,
            lastUsedAtMs: record?.nowMs,
            idleExpiresAtMs: use.isUserActive ? slidToMs : record?.idleExpiresAtMs,
          })),
        );
        expect(rows.map((after) => after.secret)).toEqual(
          rows.map(() => secretOf(generation + 1, candidate.nextNonce)),
        );
      } finally {
        await client.query('ROLLBACK');
      }
    }),
    { numRuns: 1_000 },
  );
  expect(rotations).toBeGreaterThan(50);
  expect(rotations).toBeLessThan(950);
});

test('a rotation updates the row in place and touches no index', async () => {
  const sids = Array.from({ length: 20 }, () => newSid());
  for (const sid of sids) await insert(sid, LIVE);
  const policy = { rotationIntervalMs: 0, inactivityTimeoutSeconds: 3_600 };
  await client.query('SELECT pg_stat_force_next_flush()');
  const statistics = async (): Promise<{ readonly updates: number; readonly hot: number }> => {
    await client.query('SELECT pg_stat_clear_snapshot()');
    const { rows } = await client.query<{ updates: number; hot: number }>(
      `SELECT n_tup_upd::int4 AS updates, n_tup_hot_upd::int4 AS hot FROM pg_stat_user_tables
       WHERE schemaname = 'holdfast' AND relname = 'sessions'`,
    );
    return rows[0] ?? { updates: 0, hot: 0 };
  };
  const before = await statistics();
  for (let generation = 0; generation < 3; generation++) {
    const candidates = sids
      .toSorted()
      .map((sid) => ({ ...CANDIDATE, sid, generation, secret: secretOf(generation, CANDIDATE.nonce) }));
    const { rowCount } = await client.query(rotation(candidates, policy));
    expect(rowCount).toBe(sids.length);
  }
  await client.query('SELECT pg_stat_force_next_flush()');
  const after = await statistics();
  expect(after.updates - before.updates).toBe(60);
  // The first pages fill up once; then pruning makes room.
  expect(after.hot - before.hot).toBeGreaterThan(40);
});

// Otherwise a batch takes seconds on a young table, and two nodes may lock rows in different orders.
test('rows are found one by one by primary key, in the order of the batch, whatever the statistics say', async () => {
  const connections = openConnections(database.databaseUrl, DEFAULT_POLICY, () => {});
  for (let index = 0; index < 300; index++) await insert(newSid(), LIVE);
  const candidates = Array.from({ length: 200 }, () => newSid())
    .toSorted()
    .map((sid) => ({ ...CANDIDATE, sid, generation: 0, secret: CANDIDATE.nextNonce }));
  const session = await connections.rotations.connect();
  const explain = async (query: QueryConfig): Promise<string> => {
    const { rows } = await session.query<{ 'QUERY PLAN': string }>(query);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  };
  const explainPrepared = async ({ text, values = [] }: QueryConfig): Promise<string> => {
    await session.query(`PREPARE batch AS ${text}`);
    const plan = await explain({ text: `EXPLAIN EXECUTE batch (${values.map(() => 'NULL').join()})` });
    await session.query('DEALLOCATE batch');
    return plan;
  };
  const expectRowByRow = async (): Promise<void> => {
    for (const statement of [rotation(candidates, DEFAULT_POLICY), reading(candidates)]) {
      const planned = [
        // The generic plan, which is in use, and the plan for this batch.
        await explainPrepared(statement),
        await explain({ text: `EXPLAIN ${statement.text}`, values: statement.values ?? [] }),
      ];
      for (const plan of planned) {
        expect(plan).toMatch(
          /Nested Loop[^]*Function Scan on c[^]*Bitmap Heap Scan on sessions s[^]*Bitmap Index Scan on sessions_pkey[^]*Index Cond: \(\(bucket = ANY \(ARRAY\[c\.bucket\]\)\) AND \(id = ANY \(ARRAY\[c\.id\]\)\)\)/,
        );
        expect(plan).not.toMatch(/Sort|Hash|Merge|Seq Scan|Index Scan using|Materialize|Join Filter/);
      }
    }
  };
  try {
    await expectRowByRow();
    await client.query('ANALYZE holdfast.sessions');
    await expectRowByRow();
    // Analyze while the table is almost empty, then fill it: the planner now expects hardly any row.
    await client.query('DELETE FROM holdfast.sessions WHERE id <> (SELECT max(id::text)::uuid FROM holdfast.sessions)');
    await client.query('VACUUM (ANALYZE) holdfast.sessions');
    for (let index = 0; index < 2_000; index++) await insert(newSid(), LIVE);
    await expectRowByRow();
  } finally {
    session.release();
    await closeConnections(connections);
  }
});
