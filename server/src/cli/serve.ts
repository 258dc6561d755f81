import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { createHoldfast, type Holdfast } from '../holdfast.ts';
import type { Configuration } from './configuration.ts';

/** Fields that no log line may hold, wherever they appear. */
const REDACTED = ['secret', 'databaseUrl', 'password', 'metricsToken', 'authorization', 'cookie', 'refresh_token'];

/** Maximum size of request headers. A browser keeps up to 180 cookies of a host, which are 25 kB if all are ours. */
const HEADERS_BYTES = 64 * 1_024;

/** Maximum duration of an ordinary request, in milliseconds. */
const SOON_MS = 1_000;

/**
 * Serves until SIGTERM or SIGINT, then stops without cutting off any request. First `/readyz` answers 503 for
 * `retireSeconds`. Then no new connection is accepted, and requests under way have `drainSeconds` to end. A second
 * signal ends the process at once.
 *
 * @returns the exit code
 * @throws TypeError, HoldfastError from {@link createHoldfast}; the error of `listen`
 */
export async function serve(configuration: Configuration): Promise<number> {
  const { options, host, port, logLevel, retireSeconds, drainSeconds } = configuration;
  const logger = pino({
    name: 'holdfast',
    level: logLevel,
    redact: { paths: REDACTED.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
  });
  const holdfast = await createHoldfast({ ...options, logger, hasProcessMetrics: true });
  const server = createServer({ maxHeaderSize: HEADERS_BYTES }, holdfast.listener);
  // Limit slow requests, although each holds only a socket.
  server.requestTimeout = 15_000;
  server.headersTimeout = 10_000;
  // Longer than load balancers keep idle connections, so that they close first.
  server.keepAliveTimeout = 75_000;
  try {
    await listen(server, port, host);
  } catch (error) {
    await holdfast.close();
    throw error;
  }
  const address = server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  logger.info({ host, port: boundPort, issuer: options.issuer }, 'listening');
  const signal = await nextSignal();
  logger.info({ signal, retireSeconds, drainSeconds }, 'stopping: a second signal ends at once');
  void nextSignal().then(() => process.exit(1));
  holdfast.retire();
  await sleep(retireSeconds * 1_000);
  const isDrained = await drain(server, holdfast, drainSeconds);
  if (isDrained) logger.info({}, 'stopped');
  else logger.error({ drainSeconds }, 'stopped with requests still under way: raise drainSeconds');
  return isDrained ? 0 : 1;
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

/** @returns true if every request under way was answered in time */
async function drain(server: Server, holdfast: Holdfast, drainSeconds: number): Promise<boolean> {
  const closed = new Promise<boolean>((resolve) => server.close(() => resolve(true)));
  // A connection that is busy now will be idle later and would wait for another request.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const deadline = sleep(drainSeconds * 1_000, false, { ref: false });
  const isSoon = await Promise.race([closed, deadline, sleep(SOON_MS, false)]);
  // Requests that still wait are long polls of the revocation feed; `close` answers them.
  const isClosed = holdfast.close();
  const isDrained = isSoon || (await Promise.race([closed, deadline]));
  clearInterval(sweep);
  if (!isDrained) server.closeAllConnections();
  await Promise.race([isClosed, sleep(5_000, undefined, { ref: false })]);
  return isDrained;
}
