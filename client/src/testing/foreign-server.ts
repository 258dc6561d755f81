import type { HttpAnswer, Platform } from '../core/ports.ts';
import { json, type World } from './world.ts';

// Servers that nobody here wrote: an authorization server with habits of its own, and an API that takes its tokens.

/** How a foreign server behaves. */
export type Habits = {
  /** Where its token endpoint is. */
  readonly tokenEndpoint: string;
  /** At which refreshes it makes a new refresh token; a spent one that comes again ends the grant. */
  readonly rotates: (refresh: number) => boolean;
  /** How long an access token is good at its API, whatever it says. */
  readonly livesMs: number;
  readonly nameAccess: (serial: number) => string;
  /** The body of a token answer; `refresh` is `null` where there is no new one. */
  readonly says: (access: string, refresh: string | null) => unknown;
};

export type ForeignServer = {
  readonly transport: Platform['transport'];
  /** Its API: 200 for an access token that lives, 401 for all else. */
  readonly fetch: typeof globalThis.fetch;
  /** The refresh tokens that came, in order. */
  readonly sent: readonly string[];
  /** Every request, in order: its URL and its form. */
  readonly requests: readonly { readonly url: string; readonly form: URLSearchParams }[];
  /** Given to the next refreshes in place of an answer of its own. */
  readonly answers: HttpAnswer[];
  /** How many of its next answers get lost on the way. */
  losses: number;
  readonly isGrantOver: () => boolean;
};

/** The refresh token that every foreign session begins with. */
export const FIRST_REFRESH_TOKEN = 'foreign-refresh-0';

export function playForeignServer(world: World, habits: Habits): ForeignServer {
  const sent: string[] = [];
  const requests: { url: string; form: URLSearchParams }[] = [];
  const answers: HttpAnswer[] = [];
  const expiries = new Map<string, number>();
  let living = FIRST_REFRESH_TOKEN;
  let isOver = false;
  const nowMs = (): number => world.time.clock.now().monotonicMs;
  const refresh = (form: URLSearchParams): HttpAnswer => {
    sent.push(form.get('refresh_token') ?? '');
    const scripted = answers.shift();
    if (scripted) return scripted;
    isOver ||= sent.at(-1) !== living;
    if (isOver) return json(400, { error: 'invalid_grant' });
    const serial = sent.length;
    const access = habits.nameAccess(serial);
    expiries.set(access, nowMs() + habits.livesMs);
    const isRotated = habits.rotates(serial);
    if (isRotated) living = `foreign-refresh-${serial}`;
    return json(200, habits.says(access, isRotated ? living : null));
  };
  const server: ForeignServer = {
    transport: async ({ url, body }) => {
      const form = new URLSearchParams(body);
      requests.push({ url, form });
      const isRefresh = url === habits.tokenEndpoint && form.get('grant_type') === 'refresh_token';
      if (!isRefresh) return { status: 404, headers: {}, body: '<h1>Not found</h1>' };
      const answer = refresh(form);
      if (server.losses === 0) return answer;
      server.losses--;
      throw new TypeError('Failed to fetch');
    },
    losses: 0,
    fetch: async (input, init) => {
      const access = new Request(input, init).headers.get('authorization')?.replace(/^\w+ /u, '') ?? '';
      const isGood = (expiries.get(access) ?? -Infinity) > nowMs();
      return isGood ? Response.json({ sub: 'ada' }) : new Response(null, { status: 401 });
    },
    sent,
    requests,
    answers,
    isGrantOver: () => isOver,
  };
  return server;
}
