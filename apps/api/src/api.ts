/**
 * The demo's backend: an ordinary API with Holdfast mounted in it.
 *
 * @module
 */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHoldfast, type Holdfast, type HoldfastEvent, type HoldfastOptions, type Policy } from '@holdfast/server';
import { answerForError, hasBody, problem, sendAnswer } from './answer.ts';
import { changesPasswordOf, demoPasswordStays, dropOldPasskeys, seedDemoUser } from './demo-user.ts';
import { createExpiredTokens } from './expired-tokens.ts';
import { createFaults } from './faults.ts';
import { migrateNotes } from './notes.ts';
import { createRouter, type Router } from './routes.ts';
import { createSessionStatsLog } from './session-stats.ts';
import { serveWebApp, setSecurityHeaders } from './web-app.ts';

export { demoUser } from './demo-user.ts';

/** The demo's clients: `web` for its page, `native` for scripts and the iOS app. */
const clients: HoldfastOptions['clients'] = [
  { clientId: 'web', refreshTokenTransport: 'cookie', scopes: ['notes'] },
  { clientId: 'native', refreshTokenTransport: 'body', scopes: ['notes'] },
];

/** How many events are kept for {@link DemoApi.events}. */
const maxEvents = 1_000;

/** Largest headers of a request. A browser keeps up to 180 cookies of a host, which are 25 kB when all are Holdfast's. */
const headersBytes = 64 * 1_024;

/** How long requests under way may take to end when the server closes, in milliseconds. */
const drainMs = 3_000;

/** Options of {@link createDemoApi}. */
export type DemoApiOptions = {
  /** `postgres://…`; the schemas `holdfast` and `demo` are created in it. */
  readonly databaseUrl: string;
  /** Holdfast's master secret, at least 32 bytes. */
  readonly secret: string;
  /** Default: 0, a free port. */
  readonly port?: number;
  /** Default: `127.0.0.1`, this machine only. */
  readonly host?: string;
  /** Where browsers reach the server. Default: `http://localhost:<port>`. */
  readonly issuer?: string;
  /** Holdfast's durations and limits. Default: Holdfast's own. */
  readonly policy?: Partial<Policy>;
  /** Creates the demo's user, and offers `/demo/…` to the page. Default: false. */
  readonly demo?: boolean;
  /** Answers what no endpoint does. Default: the build of apps/web. */
  readonly webApp?: RequestListener;
  /** Called for every event of Holdfast. */
  readonly onEvent?: (event: HoldfastEvent) => void;
};

/** A running demo. */
export type DemoApi = {
  /** Where it is reached; also the issuer. */
  readonly url: string;
  readonly holdfast: Holdfast;
  /** The newest events of Holdfast, oldest first, at most a thousand; the array itself grows and shrinks. */
  readonly events: readonly HoldfastEvent[];
  /** How many requests came to an endpoint, such as `POST /token`, whatever the answer and before any of it was sent. */
  readonly requestCount: (endpoint: string) => number;
  /** Refuses new connections, lets requests under way end, then closes the database's connections. */
  readonly close: () => Promise<void>;
};

/**
 * Starts the demo's backend.
 *
 * @throws the error of `listen` (`EADDRINUSE`, `EACCES`), or those of `createHoldfast`
 */
export async function createDemoApi(options: DemoApiOptions): Promise<DemoApi> {
  const requestCounts = new Map<string, number>();
  const events: HoldfastEvent[] = [];
  const sessionStats = createSessionStatsLog();
  // Replaced when Holdfast is ready: its issuer holds the port, which is only known when the server listens.
  let answer: RequestListener = (_request, response) => sendAnswer(response, starting);
  const server = createServer({ maxHeaderSize: headersBytes }, (request, response) => {
    countRequest(requestCounts, request);
    setSecurityHeaders(response);
    answer(request, response);
  });
  server.requestTimeout = 30_000;
  const port = await listen(server, options.port ?? 0, options.host ?? '127.0.0.1');
  const issuer = options.issuer ?? `http://localhost:${port}`;
  let holdfast: Holdfast | undefined;
  let demoSub: string | null = null;
  try {
    holdfast = await createHoldfast({
      issuer,
      databaseUrl: options.databaseUrl,
      secret: options.secret,
      clients,
      // Everybody who looks at the demo signs in as the same user.
      policy: { signInBurstPerAccount: 10_000, maxDeviceChainsPerUser: 10_000, ...options.policy },
      onEvent(event) {
        events.push(event);
        if (events.length > maxEvents) events.shift();
        sessionStats.record(event);
        if (holdfast && event.type === 'credential.changed' && event.sub === demoSub)
          // The next passkey that is added tries it again.
          dropOldPasskeys(holdfast.database, event.sub).catch(() => {});
        options.onEvent?.(event);
      },
    });
    await migrateNotes(holdfast.database);
    if (options.demo === true) {
      demoSub = await seedDemoUser(holdfast.users);
      await dropOldPasskeys(holdfast.database, demoSub);
    }
  } catch (error) {
    await Promise.allSettled([closeServer(server), holdfast?.close()]);
    throw error;
  }
  const isDemo = options.demo === true;
  const faults = createFaults(issuer, holdfast.database);
  const context = { holdfast, publicOrigin: issuer, sessionStats, expiredTokens: createExpiredTokens(), faults };
  const mounted = mount(holdfast, createRouter(context, isDemo), options.webApp ?? serveWebApp());
  const whole: RequestListener = (request, response) =>
    demoSub !== null && changesPasswordOf(demoSub, request)
      ? sendAnswer(response, demoPasswordStays)
      : mounted(request, response);
  answer = isDemo ? faults.around(whole) : whole;
  return {
    url: issuer,
    holdfast,
    events,
    requestCount: (endpoint) => requestCounts.get(endpoint) ?? 0,
    close: once(async () => {
      await closeServer(server);
      await context.holdfast.close();
    }),
  };
}

const starting = problem(503, 'Service Unavailable', 'The server is starting.', { 'retry-after': '1' });

/** A file is asked for without one; nothing would end the reading of it. */
const noBody = problem(413, 'Content Too Large', 'This path takes no body.');

/** Holdfast's endpoints first, then the API's routes, then the web app. */
function mount(holdfast: Holdfast, router: Router, webApp: RequestListener): RequestListener {
  return (request, response) =>
    holdfast.listener(request, response, () => {
      const answer = router(request);
      if (answer === undefined) return hasBody(request) ? sendAnswer(response, noBody) : webApp(request, response);
      return void answer.then(
        (settled) => sendAnswer(response, settled),
        (error: unknown) => sendAnswer(response, answerForError(error)),
      );
    });
}

/** The endpoints that are counted: a fixed list, so that made-up paths cost no memory. */
const countedPaths = new Set(['/token', '/authorize-challenge', '/revoke', '/me', '/notes']);

function countRequest(counts: Map<string, number>, request: IncomingMessage): void {
  const [path = ''] = (request.url ?? '').split('?');
  if (!countedPaths.has(path)) return;
  const endpoint = `${request.method} ${path}`;
  counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.closeAllConnections(), drainMs);
    // A connection that was busy at first is idle later, and would otherwise be kept for a next request.
    const sweep = setInterval(() => server.closeIdleConnections(), 20);
    server.close(() => {
      clearTimeout(deadline);
      clearInterval(sweep);
      resolve();
    });
  });
}

function once(work: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | undefined;
  return () => (result ??= work());
}
