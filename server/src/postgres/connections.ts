import { DatabaseError, Pool, type PoolClient, type QueryConfig, type QueryResultRow } from 'pg';
import { HoldfastServerError } from '../kernel/errors.ts';
import type { Policy } from '../kernel/policy.ts';
import { RowFault } from '../storage/store.ts';

/** The connection pools; {@link Store} says which statements use which. */
export type Connections = {
  /** Commits asynchronously, gives up early on locked rows, and only ever walks the primary key. */
  readonly rotations: Pool;
  /** A commit returns once the disk and every synchronous replica have it. */
  readonly durable: Pool;
  /** One connection for readiness probes, so that a busy pool does not make a node look broken. */
  readonly probe: Pool;
};

type ConnectionPolicy = Pick<
  Policy,
  'connectTimeoutMs' | 'statementTimeoutMs' | 'lockTimeoutMs' | 'rotationConnections' | 'durableConnections'
>;

/**
 * Opens the pools. Each connects with its first statement.
 *
 * @param onIdleError called for connections that broke while idle; the pool has already dropped them
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
      // The server's own timeout comes first; this one covers a network that drops packets.
      query_timeout: policy.statementTimeoutMs + 1_000,
      keepAlive: true,
    });
    // While the pool closes, the server may close its side first.
    pool.on('error', (error) => {
      if (!pool.ending) onIdleError(error);
    });
    return pool;
  };
  return {
    rotations: open('rotations', policy.rotationConnections, {
      synchronous_commit: 'off',
      lock_timeout: policy.lockTimeoutMs,
      // Force a bitmap scan on the primary key, in the order of the batch, whatever the statistics say. It is the only
      // scan that cannot walk an index without a condition on it.
      enable_hashjoin: 'off',
      enable_mergejoin: 'off',
      enable_seqscan: 'off',
      enable_indexscan: 'off',
      enable_indexonlyscan: 'off',
      enable_bitmapscan: 'on',
      // For few rows PostgreSQL would plan the statement each time, which takes nearly as long as executing it.
      plan_cache_mode: 'force_generic_plan',
    }),
    // Without synchronous replicas this is a local flush.
    durable: open('durable', policy.durableConnections, { synchronous_commit: 'remote_apply' }),
    probe: open('probe', 1, {}),
  };
}

export async function closeConnections({ rotations, durable, probe }: Connections): Promise<void> {
  await Promise.all([rotations.end(), durable.end(), probe.end()]);
}

/**
 * Limits the wait for a row that another transaction holds. For transactions that hold the subject's lock, and for
 * those whose request can be answered without them.
 */
export const LIMIT_WAITS = "SET LOCAL lock_timeout = '500ms'";

/** Adds settings to the `options` of a connection URL and keeps the existing ones. */
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
 * @throws the errors of {@link translateFault}
 */
export async function run<Row extends QueryResultRow>(pool: Pool, statement: QueryConfig): Promise<readonly Row[]> {
  return withClient(pool, async (client) => (await client.query<Row>(statement)).rows);
}

/** Limit of a transaction's duration in statement timeouts, regardless of its number of statements. */
const TRANSACTION_STATEMENTS = 6;

/**
 * The maximum duration of a transaction in milliseconds. Each transaction commits within it or not at all, so its
 * changes are visible at most so long after its `now()`.
 */
export function longestTransactionMs({ statementTimeoutMs }: Pick<Policy, 'statementTimeoutMs'>): number {
  // The last statement is the commit. It starts in time and takes at most one statement timeout.
  return (TRANSACTION_STATEMENTS + 1) * statementTimeoutMs;
}

/**
 * Runs several statements in one transaction. An error from `work` rolls it back. A transaction that takes longer than
 * {@link longestTransactionMs} is not committed.
 *
 * @throws the errors of {@link translateFault}
 */
export async function transact<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  return withClient(pool, async (client) => {
    const startedAtMs = performance.now();
    await client.query('BEGIN');
    try {
      const result = await work(client);
      const limitMs = TRANSACTION_STATEMENTS * Number(pool.options.statement_timeout);
      if (performance.now() - startedAtMs > limitMs)
        throw new HoldfastServerError('unavailable', 'a transaction took too long and was given up');
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
  // A connection that breaks rejects the statement under way. Without a listener it would also end the process.
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

/** SQLSTATE: errors that end the connection. 57014, a canceled statement, does not. */
const ENDS_CONNECTION = /^(?:08|53|57P|58|XX|25P03)/;

/** True if the server refused a statement and the connection is sound. `severity` is in the server's language. */
function isStatementError(error: unknown): error is DatabaseError {
  if (!(error instanceof DatabaseError)) return false;
  return error.severity === 'ERROR' || !ENDS_CONNECTION.test(error.code ?? 'XX');
}

/** SQLSTATE: serialization failure, deadlock, lock not available. */
const ROW_FAULTS: ReadonlySet<string> = new Set(['40001', '40P01', '55P03']);
/** SQLSTATE classes of mistakes in this program: data, constraint, syntax or access rule. */
const MISTAKES: ReadonlySet<string> = new Set(['22', '23', '42']);

/**
 * Classifies a driver's error: {@link RowFault} for a row fault; the error itself for a mistake in this program;
 * otherwise `unavailable`, because the cause may pass, and may have come after a commit.
 */
function translateFault(error: unknown): unknown {
  const sqlState = sqlStateOf(error);
  if (sqlState !== null && ROW_FAULTS.has(sqlState)) return new RowFault(`row fault ${sqlState}`, { cause: error });
  if (sqlState !== null && MISTAKES.has(sqlState.slice(0, 2))) return error;
  if (error instanceof HoldfastServerError || error instanceof TypeError || error instanceof RangeError) return error;
  return new HoldfastServerError('unavailable', 'the database did not answer, or its answer is in doubt', {
    cause: error,
  });
}

/** PostgreSQL's code for an error or its causes; null if PostgreSQL reported no error. */
export function sqlStateOf(error: unknown): string | null {
  if (error instanceof DatabaseError) return error.code ?? null;
  return error instanceof Error && error.cause !== undefined ? sqlStateOf(error.cause) : null;
}
