import type { RequestListener } from 'node:http';
import path from 'node:path';
import { startEmbeddedPostgres } from '@holdfast/server';
import { createDemoApi, demoUser } from './api.ts';
import { defaultDataFolder, readOrCreateSecret } from './data-folder.ts';
import { requireFreePort, StartError, explainStartError } from './start-error.ts';

/** The port when PORT does not say another. */
const defaultPort = 4_600;

/** How soon a second signal is taken for the same one: a terminal and npm both deliver a Ctrl-C. */
const sameSignalMs = 500;

/**
 * The variables that the demo takes: PORT, DATABASE_URL, HOLDFAST_SECRET, and HOLDFAST_DATA, the folder for the database
 * and the secret where the two before do not say otherwise.
 */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Runs the demo until a signal asks it to stop: PostgreSQL (unless DATABASE_URL names one), server and web app.
 * A second signal ends it at once. Ends the process either way.
 *
 * @param webApp answers what no endpoint does. Default: the build of apps/web
 */
export async function runDemo(environment: Environment, webApp?: RequestListener): Promise<void> {
  const stops: (() => Promise<void>)[] = [];
  const started = start(environment, webApp, stops);
  let firstSignalAtMs: number | undefined;
  const stop = async (exitCode: number): Promise<void> => {
    // Wait for parts that are starting: half a start cannot be undone.
    await started.catch(() => undefined);
    for (const stopPart of stops.toReversed()) {
      await stopPart().catch((error: unknown) => console.error(explainStartError(error)));
    }
    process.exit(exitCode);
  };
  const onSignal = (): void => {
    const nowMs = Date.now();
    if (firstSignalAtMs === undefined) {
      firstSignalAtMs = nowMs;
      console.log('\n  Stopping.');
      void stop(0);
    } else if (nowMs - firstSignalAtMs > sameSignalMs) {
      process.exit(1);
    }
  };
  // The reader of the output may be gone; stopping has to go on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  try {
    const url = await started;
    if (firstSignalAtMs === undefined) console.log(box(url));
  } catch (error) {
    if (firstSignalAtMs !== undefined) return;
    console.error(`\n  ${explainStartError(error)}\n`);
    await stop(1);
  }
}

/** @returns the URL to open */
async function start(
  environment: Environment,
  webApp: RequestListener | undefined,
  stops: (() => Promise<void>)[],
): Promise<string> {
  const port = readPort(environment['PORT']);
  await requireFreePort(port);
  const dataFolder = path.resolve(environment['HOLDFAST_DATA'] || defaultDataFolder);
  let databaseUrl = environment['DATABASE_URL'];
  if (databaseUrl && !isPostgresUrl(databaseUrl))
    throw new StartError('DATABASE_URL must be of the form postgres://user:password@host/database');
  if (databaseUrl === undefined || databaseUrl === '') {
    const dataDirectory = path.join(dataFolder, 'postgres');
    const postgres = await startEmbeddedPostgres({ dataDirectory });
    stops.push(() => postgres.stop());
    console.log(`  PostgreSQL keeps its data in ${nameFolder(postgres.directory)}`);
    databaseUrl = postgres.databaseUrl;
  }
  const api = await createDemoApi({
    port,
    databaseUrl,
    secret: environment['HOLDFAST_SECRET'] || readOrCreateSecret(dataFolder),
    demo: true,
    ...(webApp === undefined ? {} : { webApp }),
  });
  stops.push(api.close);
  return api.url;
}

const isPostgresUrl = (text: string): boolean =>
  URL.canParse(text) && ['postgres:', 'postgresql:'].includes(new URL(text).protocol);

/** The name of a folder, relative to the current one if it lies below. */
function nameFolder(folder: string): string {
  const relative = path.relative(process.cwd(), folder);
  return relative.startsWith('..') ? folder : relative;
}

function readPort(value: string | undefined): number {
  if (value === undefined || value === '') return defaultPort;
  const port = Number(value);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new StartError('PORT must be a number from 0 to 65535; 0 takes a free one.');
}

function box(url: string): string {
  const lines = [
    `Holdfast   ${url}`,
    '',
    `sign in    ${demoUser.username}`,
    `password   ${demoUser.password}`,
    '',
    'Ctrl-C stops everything.',
  ];
  const width = Math.max(...lines.map((line) => line.length));
  const edge = '─'.repeat(width + 4);
  const rows = lines.map((line) => `  │  ${line.padEnd(width)}  │`);
  return ['', `  ┌${edge}┐`, ...rows, `  └${edge}┘`, ''].join('\n');
}
