import { DatabaseError, Pool, type PoolClient, type QueryConfig, type QueryResultRow } from 'pg';
import { HoldfastError } from '../kernel/errors.ts';
import type { Policy } from '../kernel/policy.ts';
import { RowFault } from '../storage/store.ts';

/** The ways to the database; {@link Store} says what goes which way. */
export type Connections = {
  /** Commits asynchronously, gives up early on locked rows, and only ever walks the primary key. */
  readonly rotations: Pool;
  /** Commits when the disk, and every synchronous replica, has it. */
  readonly durable: Pool;
  /** One connection that only asks whether the database is there, so that no amount of work makes a node look broken. */
  readonly probe: Pool;
};

type ConnectionPolicy = Pick<
  Policy,
  'connectTimeoutMs' | 'statementTimeoutMs' | 'lockTimeoutMs' | 'rotationConnections' | 'durableConnections'
>;

/**
 * Opens both pools. Nothing connects before the first statement.
 *
 * @param onIdleError told about connections that broke while nobody used them; the pool has dropped them already
 */
export function openConnections(
  databaseUrl: string,
  policy: ConnectionPolicy,
  onIdleError: (error: Error) => void,
): Connections {
  const open = (name: string, max: number, settings: Readonly<Record<string, string | number>>): Pool => {
    const pool = new Pool({
      connectionString: withSettings(databaseUrl, {
        ...settings,
        idle_in_transaction_session_timeout: policy.statementTimeoutMs,
      }),
      application_name: `holdfast ${name}`,
      max,
      connectionTimeoutMillis: policy.connectTimeoutMs,
      statement_timeout: policy.statementTimeoutMs,
      // The server's own time-out comes first; this one is for a network that swallows packets.
      query_timeout: policy.statementTimeoutMs + 1_000,
      keepAlive: true,
    });
    // While the pool closes, the server may well close first.
    pool.on('error', (error) => {
      if (!pool.ending) onIdleError(error);
    });
    return pool;
  };
  return {
    rotations: open('rotations', policy.rotationConnections, {
      synchronous_commit: 'off',
      lock_timeout: policy.lockTimeoutMs,
      // Row by row through the primary key, in the order of the batch, whatever the planner thinks of the statistics: of all
      // scans only the bitmap scan is left, the one that cannot walk an index without a condition on it.
      enable_hashjoin: 'off',
      enable_mergejoin: 'off',
      enable_seqscan: 'off',
      enable_indexscan: 'off',
      enable_indexonlyscan: 'off',
      enable_bitmapscan: 'on',
      // For few rows PostgreSQL would plan the statement anew each time, which takes nearly as long as to execute it.
      plan_cache_mode: 'force_generic_plan',
    }),
    // Without synchronous replicas this is a plain local flush.
    durable: open('durable', policy.durableConnections, { synchronous_commit: 'remote_apply' }),
    probe: open('probe', 1, {}),
  };
}

export async function closeConnections({ rotations, durable, probe }: Connections): Promise<void> {
  await Promise.all([rotations.end(), durable.end(), probe.end()]);
}

/**
 * For a transaction that holds the subject's lock, or whose request can be answered without it: it waits no longer than this for a
 * row that another transaction holds.
 */
export const LIMIT_WAITS = "SET LOCAL lock_timeout = '500ms'";

/** Adds settings to the `options` of a connection URL, keeping those that are there. */
function withSettings(databaseUrl: string, settings: Readonly<Record<string, string | number>>): string {
  if (!URL.canParse(databaseUrl))
    throw new TypeError('options.databaseUrl is a URL: postgres://user:password@host/name');
  const url = new URL(databaseUrl);
  const ours = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  url.searchParams.set('options', [url.searchParams.get('options') ?? '', ...ours].join(' ').trim());
  return url.href;
}

/**
 * Runs one statement in a transaction of its own.
 *
 * @throws what {@link translateFault} makes of it
 */
export async function run<Row extends QueryResultRow>(pool: Pool, statement: QueryConfig): Promise<readonly Row[]> {
  return withClient(pool, async (client) => (await client.query<Row>(statement)).rows);
}

/** So many times as long as one statement may a transaction take, whatever the number of its statements. */
const TRANSACTION_STATEMENTS = 6;

/**
 * After how long at most a transaction is over, in milliseconds: it is committed before, or not at all. Whatever happened at its
 * `now()` is visible so much later.
 */
export function longestTransactionMs({ statementTimeoutMs }: Pick<Policy, 'statementTimeoutMs'>): number {
  // The last statement is the commit, which begins in time and takes as long as any.
  return (TRANSACTION_STATEMENTS + 1) * statementTimeoutMs;
}

/**
 * Runs several statements in one transaction; what `work` throws rolls it back. A transaction that takes longer than
 * {@link longestTransactionMs} is not committed.
 *
 * @throws what {@link translateFault} makes of it
 */
export async function transact<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  return withClient(pool, async (client) => {
    const startedAtMs = performance.now();
    await client.query('BEGIN');
    try {
      const result = await work(client);
      const limitMs = TRANSACTION_STATEMENTS * Number(pool.options.statement_timeout);
      if (performance.now() - startedAtMs > limitMs)
        throw new HoldfastError('unavailable', 'a transaction took too long and was given up');
      await client.query('COMMIT');
      return result;
    } catch (error) {
      if (isStatementError(error)) await client.query('ROLLBACK');
      throw error;
    }
  });
}

async function withClient<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  let client: PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    throw translateFault(error);
  }
  // A connection that breaks rejects the statement under way; without a listener it would end the process as well.
  client.on('error', ignore);
  let isBroken = false;
  try {
    return await work(client);
  } catch (error) {
    isBroken = !isStatementError(error);
    throw translateFault(error);
  } finally {
    client.off('error', ignore);
    client.release(isBroken);
  }
}

function ignore(): void {}

/** Whether the server refused a statement and the connection itself is sound. */
function isStatementError(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.severity === 'ERROR';
}

/** SQLSTATE: serialization failure, deadlock, lock not available. */
const ROW_FAULTS: ReadonlySet<string> = new Set(['40001', '40P01', '55P03']);
/** SQLSTATE classes that mean a mistake in this program: data, constraint, syntax or access rule. */
const MISTAKES: ReadonlySet<string> = new Set(['22', '23', '42']);

/**
 * Sorts what the driver throws: {@link RowFault} when one row is to blame; the error itself when this program is; otherwise
 * `unavailable`, because whatever keeps a healthy database from answering may pass, and may have happened after a commit.
 */
function translateFault(error: unknown): unknown {
  const sqlState = sqlStateOf(error);
  if (sqlState !== null && ROW_FAULTS.has(sqlState)) return new RowFault(`row fault ${sqlState}`, { cause: error });
  if (sqlState !== null && MISTAKES.has(sqlState.slice(0, 2))) return error;
  if (error instanceof HoldfastError || error instanceof TypeError || error instanceof RangeError) return error;
  return new HoldfastError('unavailable', 'the database did not answer, or its answer is in doubt', { cause: error });
}

/** PostgreSQL's code for an error, looking through the errors that wrap it; null when PostgreSQL did not speak. */
export function sqlStateOf(error: unknown): string | null {
  if (error instanceof DatabaseError) return error.code ?? null;
  return error instanceof Error && error.cause !== undefined ? sqlStateOf(error.cause) : null;
}
