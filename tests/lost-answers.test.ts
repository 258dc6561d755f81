// An outage of answers for two hours: every refresh commits, and no answer arrives. 1,000 sessions, none of them may end.
//
// Real: the server, its PostgreSQL, sign-ins with passwords, and 1,000 clients with machine, shell and facade. Every refresh is
// a request to the server's `handle`.
// Not real: time, and the network. Two hours pass in seconds: the clients' clocks wake in steps of a second, the server's
// process reads the same time, and the times in its rows are moved back (decision 0025). A hundred devices are awake all the
// time, and have a request parked when the answers come back. The others wake every two minutes, as phones in a pocket do.
// Requests stay in this process: connections break after the server has worked, or half of the devices that are awake wait for
// an answer in vain.
import { createHash, randomBytes } from 'node:crypto';
import { createHoldfast, type Holdfast, type HoldfastEvent } from '@holdfast/server';
import type { AuthService, Platform, Transport } from 'holdfast';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWorld } from '../client/src/testing/world.ts';
import { passServerTime, setServerClock } from './server-clock.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

const SESSIONS = 1_000;
/** So many devices are awake; the others wake every `NAP_MS`. */
const AWAKE = 100;
const MINUTE_MS = 60_000;
const NAP_MS = 2 * MINUTE_MS;
const OUTAGE_MS = 120 * MINUTE_MS;
const PROMPT_REDELIVERIES = 32;
const STEP_MS = 1_000;
/** How often the server's clocks are set on: within a rotation interval. */
const SERVER_STEP_MS = 30_000;
const issuer = 'https://id.example';
const password = 'correct horse battery';
/** As many as stay below the limit of devices of one user. */
const users = Array.from({ length: SESSIONS / 100 }, (_, at) => `user-${at}@example.org`);

let database: TestDatabase;
let holdfast: Holdfast;
let clients: readonly AuthService[] = [];
const events: HoldfastEvent[] = [];

/** Time as the clients see it: alarms ring at the step that follows, in order. */
const startMs = Date.now();
let passedMs = 0;
const alarms = new Map<number, Set<() => void>>();

/** The clocks of a device that wakes every `napMs`. */
const clockOf = (napMs: number): Platform['clock'] => ({
  now: () => ({ wallMs: startMs + passedMs, monotonicMs: passedMs }),
  wake: (delayMs, callback) => {
    const atMs = Math.ceil((passedMs + Math.max(delayMs, 1)) / napMs) * napMs;
    const ringing = alarms.get(atMs) ?? new Set();
    alarms.set(atMs, ringing.add(callback));
    return () => void ringing.delete(callback);
  },
});

let areAnswersLost = false;
const underWay = new Set<Promise<unknown>>();

/** The network between one client and the server. `isSilent`: lost answers leave the connection open. */
function transportOf(isSilent: boolean): Transport {
  return async ({ method, url, headers, body }, signal) => {
    const { pathname, search } = new URL(url);
    const work = holdfast.handle({
      method,
      path: pathname,
      query: search.slice(1),
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
      body: body ?? '',
      remoteAddress: '127.0.0.1',
    });
    underWay.add(work);
    const response = await work.finally(() => underWay.delete(work));
    if (response === null) throw new TypeError(`no endpoint: ${url}`);
    if (areAnswersLost && isSilent)
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    if (areAnswersLost) throw new TypeError('Failed to fetch');
    const fields = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
    return {
      status: response.status,
      headers: Object.fromEntries(fields) as Record<string, string>,
      body: response.body,
    };
  };
}

/** The API: answers every token that the server vouches for. */
const answerApi: typeof fetch = async (_input, init) => {
  const header = new Headers(init?.headers).get('authorization') ?? undefined;
  const verdict = await holdfast.verifyAccessToken(header);
  return new Response(null, { status: verdict.ok ? 200 : 401 });
};

/** A device of its own: nothing is shared with the others. */
function openClient(at: number): AuthService {
  const platform = {
    clock: clockOf(at < AWAKE ? STEP_MS : NAP_MS),
    transport: transportOf(at < AWAKE / 2),
    random: Math.random,
    randomToken: () => randomBytes(32).toString('base64url'),
    sha256: (text: string) => Promise.resolve(createHash('sha256').update(text).digest('base64url')),
  };
  return createWorld('body').openTab({ issuer, clientId: 'app', fetch: answerApi }, platform).auth;
}

/** Lets everything settle that can settle while no time passes: promises, and the server's work. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3 || underWay.size > 0; turn++) {
    await Promise.all(underWay);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Lets time pass for clients and server. */
async function pass(ms: number): Promise<void> {
  for (const endMs = passedMs + ms; passedMs < endMs;) {
    passedMs += STEP_MS;
    if (passedMs % SERVER_STEP_MS === 0) await passServerTime(holdfast, SERVER_STEP_MS);
    const ringing = alarms.get(passedMs) ?? [];
    alarms.delete(passedMs);
    for (const ring of ringing) ring();
    await settle();
  }
}

type Row = { readonly generation: number; readonly redeliveries: number; readonly isOver: boolean };

async function sessionRows(): Promise<readonly Row[]> {
  const { rows } = await holdfast.database.query<Row>(
    'SELECT generation::int, redeliveries, revoked_at IS NOT NULL AS "isOver" FROM holdfast.sessions',
  );
  return rows;
}

/** How many clients show what. */
function statuses(clients: readonly AuthService[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const snapshot of clients.map((auth) => auth.getSnapshot())) {
    const shown = snapshot.status === 'active' ? `active ${snapshot.freshness}` : snapshot.status;
    counts[shown] = (counts[shown] ?? 0) + 1;
  }
  return counts;
}

beforeAll(async () => {
  setServerClock();
  database = await createTestDatabase();
  holdfast = await createHoldfast({
    issuer,
    databaseUrl: database.databaseUrl,
    secret: 'a master secret for tests, 32 bytes or more',
    clients: [{ clientId: 'app', refreshTokenTransport: 'body', scopes: ['notes'] }],
    policy: { requestsPerSecond: 0, signInBurstPerAccount: SESSIONS },
    onEvent: (event) => events.push(event),
  });
  for (const username of users) await holdfast.users.create({ username, password, name: username });
  clients = Array.from({ length: SESSIONS }, (_, at) => openClient(at));
  // A few at once: the server refuses to hash many passwords at a time.
  for (let at = 0; at < SESSIONS; at += 8) {
    const signIn = (auth: AuthService, next: number): Promise<void> =>
      auth.signIn({ username: users[(at + next) % users.length] ?? '', password });
    await Promise.all(clients.slice(at, at + 8).map(signIn));
  }
});
afterAll(async () => {
  for (const auth of clients) auth.dispose();
  await holdfast?.close();
  await database?.drop();
});

it('1,000 sessions outlast two hours in which no answer arrives, and the operator is alerted', async () => {
  areAnswersLost = true;
  await pass(OUTAGE_MS - MINUTE_MS);
  const parked = Promise.all(
    clients.slice(0, AWAKE).map((auth) => auth.fetch(`${issuer}/notes`).then(({ status }) => status)),
  );
  await pass(MINUTE_MS);
  expect(statuses(clients)).toEqual({ 'active offline': SESSIONS });
  // Every refresh was committed: one rotation, and then the same generation again and again, more rarely after 32 times.
  const rows = await sessionRows();
  expect(rows.filter(({ isOver }) => isOver)).toEqual([]);
  expect(rows.map(({ generation }) => generation)).toEqual(Array.from({ length: SESSIONS }, () => 1));
  const redeliveries = rows.map(({ redeliveries }) => redeliveries);
  expect(Math.min(...redeliveries)).toBeGreaterThanOrEqual(PROMPT_REDELIVERIES);
  expect(Math.max(...redeliveries)).toBeLessThanOrEqual(PROMPT_REDELIVERIES + 8);
  // The operator hears of each session, by event and by metric.
  const alerts = events.flatMap((event) => (event.type === 'refresh.redelivery_paced' ? [event.sid] : []));
  expect(new Set(alerts).size).toBe(SESSIONS);
  expect(alerts).toHaveLength(SESSIONS);
  expect(await holdfast.metrics()).toContain(`holdfast_refresh_redeliveries_paced_total ${SESSIONS}\n`);

  areAnswersLost = false;
  await pass(3 * MINUTE_MS);
  expect(await parked).toEqual(Array.from({ length: AWAKE }, () => 200));
  expect(statuses(clients)).toEqual({ 'active verified': SESSIONS });
  expect(events.filter(({ type }) => type === 'session.revoked' || type === 'refresh.refused')).toEqual([]);
}, 240_000);
