import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Holdfast } from '@holdfast/server';
import { answerForError, problem, sendAnswer, type Answer } from './answer.ts';
import { readJsonBody } from './json-body.ts';

// Trouble on demand, for the demo's page: each fault concerns the session that asked for it, and no other.

/** The faults on offer. `seconds`: for how long; a lost answer is one. */
export type Fault = { readonly kind: 'outage' | 'slow'; readonly seconds: number } | { readonly kind: 'lost-answer' };

/** The faults of all sessions, and the copies of them. */
export type Faults = {
  readonly start: (sid: string, fault: Fault) => void;
  /**
   * Copies the refresh token of a session, as malware would that reads the browser's cookies.
   *
   * @returns a name for the copy; null when the request brought no cookie of that session
   */
  readonly copySession: (sid: string, request: IncomingMessage) => string | null;
  /** Answers as the faults have it, and `next` otherwise. */
  readonly around: (next: RequestListener) => RequestListener;
};

/** Fault or copy are forgotten when there are more: this is a demo. */
const entriesMax = 1_000;
const longestSeconds = 120;
/** How long an answer takes while the network is slow, in milliseconds. */
const slowMs = 2_500;

/** The endpoints that faults concern: those of the page's own requests, and not those that steer the demo. */
const concerned = new Set(['/token', '/me', '/notes', '/sessions', '/passkeys', '/password']);

type State = { outageUntilMs: number; slowUntilMs: number; losesNextAnswer: boolean };

/** A session in the name of its cookie, after the issuer: the first 12 hex digits of its id. */
const keyOf = (sid: string): string => sid.replaceAll('-', '').slice(0, 12);
const cookiePattern = /(?:^|;\s*)(?<name>__Host-holdfast-[0-9a-f]{8}-(?<key>[0-9a-f]{12}))=(?<value>[^;]*)/gu;

const cookiesOf = (request: IncomingMessage): readonly { name: string; key: string; value: string }[] =>
  [...(request.headers.cookie ?? '').matchAll(cookiePattern)].map(({ groups = {} }) => ({
    name: groups['name'] ?? '',
    key: groups['key'] ?? '',
    value: groups['value'] ?? '',
  }));

function keep<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > entriesMax && oldest !== undefined) map.delete(oldest);
}

/** A copied cookie, as `name=value`, and the session that it is of. */
type Copy = { readonly sid: string; readonly cookie: string };

/** Starts without any. `issuer`: where the thief uses the copy. */
export function createFaults(issuer: string, database: Holdfast['database']): Faults {
  const states = new Map<string, State>();
  const copies = new Map<string, Copy>();
  const stateOf = (request: IncomingMessage): State | undefined =>
    cookiesOf(request).flatMap(({ key }) => states.get(key) ?? [])[0];
  return {
    start: (sid, fault) => {
      const none: State = { outageUntilMs: 0, slowUntilMs: 0, losesNextAnswer: false };
      const state = states.get(keyOf(sid)) ?? none;
      if (fault.kind === 'lost-answer') state.losesNextAnswer = true;
      else {
        const untilMs = Date.now() + Math.min(fault.seconds, longestSeconds) * 1_000;
        if (fault.kind === 'outage') state.outageUntilMs = untilMs;
        else state.slowUntilMs = untilMs;
      }
      keep(states, keyOf(sid), state);
    },
    copySession: (sid, request) => {
      const cookie = cookiesOf(request).find(({ key }) => key === keyOf(sid));
      if (cookie === undefined) return null;
      const id = randomUUID();
      keep(copies, id, { sid, cookie: `${cookie.name}=${cookie.value}` });
      return id;
    },
    around: (next) => (request, response) => {
      const [path = ''] = (request.url ?? '').split('?');
      if (path === '/demo/thief') {
        const answer = playThief(issuer, database, copies, request).catch(answerForError);
        return void answer.then((settled) => sendAnswer(response, settled));
      }
      const state = concerned.has(path) ? stateOf(request) : undefined;
      if (state === undefined) return next(request, response);
      if (Date.now() < state.outageUntilMs) return sendAnswer(response, unavailable);
      if (path === '/token' && state.losesNextAnswer) {
        state.losesNextAnswer = false;
        loseAnswer(response);
      }
      if (Date.now() >= state.slowUntilMs) return next(request, response);
      return void setTimeout(() => next(request, response), slowMs);
    },
  };
}

const unavailable: Answer = {
  status: 503,
  body: { error: 'temporarily_unavailable', error_description: 'The demo was told to be away', reason: 'unavailable' },
  headers: { 'retry-after': '2' },
};

/**
 * The request is carried out, and its answer never arrives: the head alone does, or a browser would send the request again
 * by itself.
 */
function loseAnswer(response: ServerResponse): void {
  const writeHead = response.writeHead.bind(response);
  response.writeHead = () => response;
  response.write = () => true;
  response.end = () => {
    writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    response.flushHeaders();
    setTimeout(() => response.destroy(), 50);
    return response;
  };
}

/**
 * Uses a copy on another machine, a minute after the last use: refreshes with it, and reads with what that gave.
 *
 * @returns `status` and `reason` of the refresh, `notes`: how many could be read. No token leaves this function.
 */
async function playThief(
  issuer: string,
  database: Holdfast['database'],
  copies: Map<string, Copy>,
  request: IncomingMessage,
): Promise<Answer> {
  const body = request.method === 'POST' ? await readJsonBody(request) : null;
  if (body === null) return problem(405, 'Method Not Allowed', 'This path takes POST.', { allow: 'POST' });
  if (!body.ok) return body.answer;
  const { copy } = body.value;
  const stolen = typeof copy === 'string' ? copies.get(copy) : undefined;
  if (stolen === undefined) return problem(404, 'Not Found', 'There is no such copy.');
  const { sid, cookie } = stolen;
  await letAMinutePass(database, sid);
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'refresh_token', client_id: 'web' }),
    headers: { cookie, 'holdfast-request': '1', 'user-agent': 'somebody else' },
  });
  const answer = (await response.json()) as Readonly<Record<string, unknown>>;
  const [, successor] =
    /^(__Host-holdfast-[0-9a-f]{8}-[0-9a-f]{12}=[^;]+)/u.exec(response.headers.getSetCookie()[0] ?? '') ?? [];
  if (response.ok && successor !== undefined) copies.set(String(copy), { sid, cookie: successor });
  await letAMinutePass(database, sid);
  const notes = response.ok ? await countNotes(issuer, String(answer['access_token'])) : null;
  return { status: 200, body: { status: response.status, reason: answer['reason'] ?? null, notes } };
}

/** Refresh tokens are rotated once a minute at most, which is longer than people like to wait in front of a demo. */
async function letAMinutePass(database: Holdfast['database'], sid: string): Promise<void> {
  await database.query(
    "update holdfast.sessions set delivered_at = delivered_at - interval '61 seconds' where id = $1",
    [sid],
  );
}

async function countNotes(issuer: string, accessToken: string): Promise<number | null> {
  const response = await fetch(`${issuer}/notes`, { headers: { authorization: `Bearer ${accessToken}` } });
  if (!response.ok) return null;
  return ((await response.json()) as { readonly notes: readonly unknown[] }).notes.length;
}
