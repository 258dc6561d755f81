// A stage for browsers: a page with the real client, the real server on a real PostgreSQL behind it, and a network in
// between that can be made to fail. What happened is counted where it counts: at the server.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHoldfast, type Holdfast, type HoldfastEvent, type HoldfastOptions } from '@holdfast/server';
import { build } from 'esbuild';
import { passServerTime, restoreServerTime, setServerClock } from '../server-clock.ts';
import { createTestDatabase } from '../test-database.ts';
import { writeAnswer, type Fault } from './faults.ts';

/** The user whom the stage begins with. */
export const user = { username: 'ada@example.org', password: 'correct horse battery', name: 'Ada' } as const;

/** A running stage. */
export type Stage = {
  /** Where the page is; also the issuer. */
  readonly url: string;
  readonly holdfast: Holdfast;
  /** Every event of the server, oldest first. */
  readonly events: readonly HoldfastEvent[];
  /** The notes that the API has taken, in order: what was sent twice is here twice. */
  readonly notes: readonly string[];
  /** How many requests came to an endpoint, such as `POST /token`, whatever became of them. */
  readonly count: (endpoint: string) => number;
  /** Lets the requests to an endpoint meet `faults`, one each in turn; the ones after them are served. */
  readonly meet: (endpoint: string, ...faults: readonly Fault[]) => void;
  /** Lets all requests to an endpoint meet `fault`, until `null`. */
  readonly meetAlways: (endpoint: string, fault: Fault | null) => void;
  /** Sets the server's clocks on: the process's, and the database's as its rows see it. */
  readonly passTime: (ms: number) => Promise<void>;
  /**
   * Sets the process's clock right again. For after a test: the database's clock cannot be set, and what is new in it would
   * look old to a process that is ahead.
   */
  readonly restoreTime: () => void;
  /** Begins anew: no faults, no counts, no notes, no events. */
  readonly reset: () => void;
  readonly close: () => Promise<void>;
};

const clients: HoldfastOptions['clients'] = [
  { clientId: 'cookie', refreshTokenTransport: 'cookie', scopes: ['notes'] },
  { clientId: 'bearer', refreshTokenTransport: 'body', scopes: ['notes'] },
  { clientId: 'bound', refreshTokenTransport: 'body', scopes: ['notes'], dpopBoundAccessTokens: true },
];

/** The script of a page, by its name: `stage-page` or `page-ports`. */
export async function bundlePage(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${import.meta.dirname}/${name}.ts`],
    bundle: true,
    format: 'iife',
    conditions: ['@holdfast/source'],
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

type Api = { readonly holdfast: Holdfast; readonly url: string; readonly notes: string[] };

/** The API: takes notes, and says whose token it was shown. */
async function answerApi({ holdfast, url, notes }: Api, request: IncomingMessage, body: string) {
  const { method = 'GET', headers } = request;
  const dpop = typeof headers['dpop'] === 'string' ? headers['dpop'] : undefined;
  const verdict = await holdfast.verifyAccessToken(headers.authorization, { method, url: url + request.url, dpop });
  if (!verdict.ok) {
    const nonce = verdict.dpopNonce === undefined ? {} : { 'dpop-nonce': verdict.dpopNonce };
    return { status: verdict.status, headers: { 'www-authenticate': verdict.wwwAuthenticate, ...nonce }, body: '' };
  }
  if (method === 'POST') notes.push(body);
  const headersOfJson = { 'content-type': 'application/json' };
  return { status: method === 'POST' ? 201 : 200, headers: headersOfJson, body: JSON.stringify(verdict.claims) };
}

/** A service worker that answers the first refresh with a page that it has, as one that was written in a hurry does. */
const WORKER = `
  let answered = 0;
  addEventListener('install', () => skipWaiting());
  addEventListener('activate', (event) => event.waitUntil(clients.claim()));
  addEventListener('fetch', (event) => {
    if (new URL(event.request.url).pathname === '/token' && answered++ === 0)
      event.respondWith(new Response('<h1>offline</h1>', { headers: { 'content-type': 'text/html' } }));
    else event.respondWith(fetch(event.request));
  });
`;

/** Serves one request, for any of the servers. */
async function serve(api: Api, request: IncomingMessage, scripts: ReadonlyMap<string, string>) {
  const { method = 'GET', url: target = '/', headers, socket } = request;
  const [path = '', search = ''] = target.split('?');
  const body = await readBody(request);
  if (path === '/notes') return answerApi(api, request, body);
  const fields = Object.entries(headers).map(([name, value]) => [name, value?.toString()] as const);
  const answer = await api.holdfast.handle({
    method,
    path,
    query: search,
    headers: Object.fromEntries(fields),
    body,
    remoteAddress: socket.remoteAddress ?? '',
  });
  if (answer !== null) return answer;
  const script = scripts.get(path);
  const type = script === undefined ? 'text/html' : 'text/javascript';
  const html = '<!doctype html><meta charset="utf-8"><title>Stage</title><script src="/stage.js"></script>';
  return { status: 200, headers: { 'content-type': `${type}; charset=utf-8` }, body: script ?? html };
}

/** Listens on a free port. @returns where clients find the server */
export async function listenOnLoopback(server: Server): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

/**
 * Starts a stage on a database of its own.
 *
 * @param publish makes the server reachable, and returns its URL. Default: it is reached directly.
 */
export async function openStage(policy: HoldfastOptions['policy'] = {}, publish = listenOnLoopback): Promise<Stage> {
  setServerClock();
  const [page, worker, database] = await Promise.all([
    bundlePage('stage-page'),
    bundlePage('stage-worker'),
    createTestDatabase(),
  ]);
  const scripts = new Map([
    ['/stage.js', page],
    ['/session-worker.js', worker],
    ['/worker.js', WORKER],
  ]);
  const counts = new Map<string, number>();
  const faults = new Map<string, Fault[]>();
  const lasting = new Map<string, Fault>();
  const events: HoldfastEvent[] = [];
  const notes: string[] = [];
  let api: Api | null = null;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const endpoint = `${request.method} ${request.url?.split('?')[0]}`;
    counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
    const fault = faults.get(endpoint)?.shift() ?? lasting.get(endpoint);
    const work = () => (api ? serve(api, request, scripts) : Promise.reject(new Error('the stage is not open yet')));
    if (fault) await fault(work, response);
    else writeAnswer(response, await work());
  };
  const server = createServer((request, response) => {
    // Only a browser that hung up, or a database that is gone at the end, gets here.
    answer(request, response).catch(() => response.destroy());
  });
  const url = await publish(server);
  const holdfast = await createHoldfast({
    issuer: url,
    databaseUrl: database.databaseUrl,
    secret: 'a master secret for tests, 32 bytes or more',
    clients,
    // Tests sign one user in many times.
    policy: { signInBurstPerAccount: 10_000, ...policy },
    onEvent: (event) => events.push(event),
  });
  await holdfast.users.create(user);
  api = { holdfast, url, notes };
  return {
    url,
    holdfast,
    events,
    notes,
    count: (endpoint) => counts.get(endpoint) ?? 0,
    meet: (endpoint, ...each) => void faults.set(endpoint, [...each]),
    meetAlways: (endpoint, fault) => void (fault ? lasting.set(endpoint, fault) : lasting.delete(endpoint)),
    passTime: (ms) => passServerTime(holdfast, ms),
    restoreTime: restoreServerTime,
    reset: () => {
      for (const each of [counts, faults, lasting]) each.clear();
      for (const each of [events, notes]) each.length = 0;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise<unknown>((resolve) => void server.close(resolve));
      await holdfast.close();
      await database.drop();
    },
  };
}
