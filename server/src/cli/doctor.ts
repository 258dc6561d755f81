import { Client } from 'pg';
import { readSettings } from '../holdfast.ts';
import { HoldfastServerError } from '../kernel/errors.ts';
import type { KeyRing } from '../kernel/key-ring.ts';
import type { Policy } from '../kernel/policy.ts';
import { areReadable, statusOf } from '../keys/signing-keys.ts';
import { closeConnections, openConnections, run, sqlStateOf, type Connections } from '../postgres/connections.ts';
import { MIGRATIONS } from '../postgres/migrations.ts';
import { createSigningKeyStore } from '../postgres/signing-key-store.ts';
import type { Configuration } from './configuration.ts';
import { diagnoseIssuer } from './doctor-issuer.ts';
import { describeConnection, fail, ok, warn, type Finding } from './finding.ts';

/** Checks everything that a server with this configuration depends on. Changes nothing. */
export async function diagnose({ options }: Configuration): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  let policy: Policy;
  let keyRing: KeyRing;
  try {
    ({ policy, keyRing } = readSettings(options));
  } catch (error) {
    return [fail('configuration', describe(error), 'correct the field that is named')];
  }
  findings.push(ok('configuration', 'complete'), diagnoseSecret(options.secret));
  const connections = openConnections(options.databaseUrl, policy, () => {});
  try {
    findings.push(...(await diagnoseDatabase(options.databaseUrl, connections, policy)));
    if (findings.every(({ about, level }) => about !== 'database' || level !== 'fail')) {
      findings.push(...(await diagnoseKeys(connections, keyRing, policy)));
    }
  } finally {
    await closeConnections(connections);
  }
  return [...findings, ...(await diagnoseIssuer(options.issuer))];
}

/** Detects a made-up secret, for which the length proves nothing. */
function diagnoseSecret(secret: string): Finding {
  if (new Set(secret).size < 12) {
    return warn('secret', 'few different characters', 'make one with: openssl rand -base64 48');
  }
  return ok('secret', 'long enough');
}

type ServerRow = {
  readonly version: number;
  readonly version_name: string;
  readonly is_replica: boolean;
  readonly now_ms: number;
  readonly fsync: string;
  readonly full_page_writes: string;
  readonly autovacuum: string;
  readonly max_connections: number;
  readonly is_encrypted: boolean | null;
  readonly replicas: number;
  readonly synchronous_standby_names: string;
};

const SERVER = `
  SELECT current_setting('server_version_num')::int4 AS version, current_setting('server_version') AS version_name,
    pg_is_in_recovery() AS is_replica, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('autovacuum') AS autovacuum, current_setting('max_connections')::int4 AS max_connections,
    (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS is_encrypted,
    (SELECT count(*)::int4 FROM pg_stat_replication) AS replicas,
    current_setting('synchronous_standby_names') AS synchronous_standby_names`;

/** PostgreSQL 13 introduced gen_random_uuid(), which makes the seeds. */
const LEAST_VERSION = 130_000;

async function diagnoseDatabase(
  databaseUrl: string,
  connections: Connections,
  policy: Policy,
): Promise<readonly Finding[]> {
  const { host, pathname } = new URL(databaseUrl);
  const name = `${host}${pathname}`;
  let row: ServerRow | undefined;
  let roundTripMs = 0;
  let askedAtMs = 0;
  try {
    await run(connections.durable, { text: 'SELECT 1' });
    askedAtMs = Date.now();
    [row] = await run<ServerRow>(connections.durable, { text: SERVER });
    roundTripMs = Date.now() - askedAtMs;
  } catch (error) {
    return [
      fail(
        'database',
        `${name} does not answer (${describeConnection(error)})`,
        'check databaseUrl, and that the server runs and lets this host in',
      ),
    ];
  }
  if (row === undefined) return [fail('database', `${name} answered nothing`, 'check what databaseUrl points at')];
  const version =
    row.version < LEAST_VERSION
      ? fail('database', `PostgreSQL ${row.version_name} at ${name} is too old`, 'use PostgreSQL 13 or later')
      : ok('database', `PostgreSQL ${row.version_name} at ${name}`);
  return [
    version,
    diagnoseRole(row),
    diagnoseEncryption(row, new URL(databaseUrl).hostname),
    diagnoseClock(row.now_ms - (askedAtMs + roundTripMs / 2), roundTripMs, policy),
    diagnoseDurability(row),
    await diagnosePooling(connections),
    diagnoseConnections(row, policy),
    await diagnoseSchema(databaseUrl, policy),
  ];
}

function diagnoseRole({ is_replica, autovacuum }: ServerRow): Finding {
  if (is_replica)
    return fail(
      'primary',
      'this is a replica',
      'point databaseUrl at the primary: verdicts are never read from a replica',
    );
  if (autovacuum !== 'on')
    return warn('primary', 'autovacuum is off', 'turn it on: every rotation leaves a dead row version');
  return ok('primary', 'takes writes, and autovacuum is on');
}

function diagnoseEncryption({ is_encrypted }: ServerRow, hostname: string): Finding {
  if (is_encrypted === true) return ok('encryption', 'the connection is TLS');
  if (['localhost', '127.0.0.1', '[::1]', ''].includes(hostname)) return ok('encryption', 'not needed on this host');
  return warn('encryption', 'the connection is in clear', 'add ?sslmode=verify-full to databaseUrl');
}

/** Pacing uses only the database's clock; access tokens use only this host's. */
function diagnoseClock(differenceMs: number, roundTripMs: number, { clockToleranceSeconds }: Policy): Finding {
  const found = `${Math.round(differenceMs)} ms from the database's, give or take ${Math.ceil(roundTripMs / 2)}`;
  const certainMs = Math.abs(differenceMs) - roundTripMs / 2;
  const mend = 'let NTP (chrony, systemd-timesyncd) set the clocks of both hosts';
  if (certainMs > clockToleranceSeconds * 1_000) return fail('clock', found, mend);
  return certainMs > 1_000 ? warn('clock', found, mend) : ok('clock', found);
}

function diagnoseDurability(row: ServerRow): Finding {
  const { fsync, full_page_writes, replicas, synchronous_standby_names: synchronous } = row;
  if (fsync !== 'on' || full_page_writes !== 'on') {
    return fail(
      'durability',
      `fsync ${fsync}, full_page_writes ${full_page_writes}`,
      'turn both on: a crash could bring revoked sessions back to life',
    );
  }
  if (replicas > 0 && synchronous === '') {
    return warn(
      'durability',
      `${replicas} replicas, none of them synchronous`,
      'set synchronous_standby_names: a failover could bring revoked sessions back to life',
    );
  }
  if (replicas === 0 && synchronous !== '') {
    return fail(
      'durability',
      'synchronous_standby_names is set and no replica is there',
      'start the replica: sign-ins and revocations wait for it',
    );
  }
  return ok(
    'durability',
    replicas === 0 ? 'commits reach the disk; there is no replica' : 'commits reach a synchronous replica',
  );
}

/** Checks that both pools keep their settings from connection time: a pooler in transaction mode loses them. */
async function diagnosePooling({ rotations, durable }: Connections): Promise<Finding> {
  const setting = async (pool: Connections['durable']): Promise<string> => {
    const [row] = await run<{ readonly value: string }>(pool, {
      text: "SELECT current_setting('synchronous_commit') AS value",
    });
    return row?.value ?? '';
  };
  const [asynchronous, synchronous] = [await setting(rotations), await setting(durable)];
  if (asynchronous === 'off' && synchronous === 'remote_apply')
    return ok('settings', 'connections keep what they were opened with');
  return fail(
    'settings',
    `synchronous_commit is ${asynchronous} where it should be off, ${synchronous} where it should be remote_apply`,
    'connect without a pooler, or with one in session mode that passes options on',
  );
}

function diagnoseConnections({ max_connections }: ServerRow, policy: Policy): Finding {
  const each = policy.rotationConnections + policy.durableConnections;
  const nodes = Math.floor((max_connections * 0.9) / each);
  const found = `${each} a node, ${max_connections} allowed: room for ${nodes} nodes`;
  return nodes >= 2
    ? ok('connections', found)
    : warn('connections', found, 'raise max_connections, or lower policy.durableConnections');
}

async function diagnoseSchema(databaseUrl: string, { connectTimeoutMs }: Policy): Promise<Finding> {
  const known = MIGRATIONS.map(({ version }) => version);
  const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: connectTimeoutMs });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ version: number }>('SELECT version FROM holdfast.migrations');
    const applied = new Set(rows.map(({ version }) => version));
    const newest = Math.max(0, ...applied);
    const missing = known.filter((version) => !applied.has(version));
    if (newest > Math.max(...known))
      return fail('schema', `version ${newest}, newer than this release knows`, 'run the newer release');
    if (missing.length > 0)
      return warn(
        'schema',
        `migrations ${missing.join(', ')} are missing`,
        'run holdfast migrate; a server that starts does it too',
      );
    return ok('schema', `version ${newest}`);
  } catch (error) {
    // undefined_table, invalid_schema_name
    if (['42P01', '3F000'].includes(sqlStateOf(error) ?? ''))
      return warn('schema', 'not there yet', 'run holdfast migrate; a server that starts does it too');
    return fail('schema', `cannot be read (${describeConnection(error)})`, 'let the role use the schema holdfast');
  } finally {
    await client.end();
  }
}

async function diagnoseKeys(connections: Connections, keyRing: KeyRing, policy: Policy): Promise<readonly Finding[]> {
  let published;
  try {
    published = await createSigningKeyStore(connections).list();
  } catch {
    return [warn('signing keys', 'cannot be read', 'run holdfast migrate')];
  }
  const { keys, nowMs } = published;
  if (keys.length === 0) return [ok('signing keys', 'none yet; the first node to start makes one')];
  if (!areReadable(published, keyRing)) {
    return [
      fail(
        'signing keys',
        'encrypted under another master secret',
        'give that one as secret, or add it to acceptedSecrets',
      ),
    ];
  }
  const status = statusOf(published);
  const roles = status.map(({ role }) => role).join(', ');
  const signing = status.find(({ role }) => role === 'signing');
  const dueMs = (signing?.signsFromMs ?? nowMs) + policy.signingKeyLifetimeSeconds * 1_000;
  const isLate = nowMs > dueMs && !status.some(({ role }) => role === 'next');
  if (isLate)
    return [
      warn(
        'signing keys',
        `${roles}; the next one is overdue`,
        'look whether a server runs: each of them publishes keys on time',
      ),
    ];
  return [ok('signing keys', `${roles}; the next change is due by ${new Date(dueMs).toISOString()}`)];
}

function describe(error: unknown): string {
  return error instanceof TypeError || error instanceof HoldfastServerError ? error.message : 'unexpected error';
}
