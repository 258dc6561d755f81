import type { HttpResponse, Platform } from '../core/ports.ts';
import { json, type World } from './world.ts';

// A foreign server: another vendor's authorization server with its own behaviour, and an API that accepts its tokens.

/** The behaviour of a foreign server. */
export type Habits = {
  /** The URL of its token endpoint. */
  readonly tokenEndpoint: string;
  /** Tells if it rotates the refresh token at a refresh. Reuse of a rotated one ends the grant. */
  readonly rotates: (refresh: number) => boolean;
  /** The real lifetime of an access token at its API, whatever the response says. */
  readonly livesMs: number;
  readonly nameAccess: (serial: number) => string;
  /** Makes the body of a token response. `refresh` is `null` if the refresh token was not rotated. */
  readonly says: (access: string, refresh: string | null) => unknown;
};

export type ForeignServer = {
  readonly transport: Platform['transport'];
  /** Its API: 200 for a valid access token, 401 for any other. */
  readonly fetch: typeof globalThis.fetch;
  /** The received refresh tokens, in order. */
  readonly sent: readonly string[];
  /** The received requests, in order: URL and form. */
  readonly requests: readonly { readonly url: string; readonly form: URLSearchParams }[];
  /** Responses for the next refreshes, instead of its own. */
  readonly answers: HttpResponse[];
  /** The number of its next responses that are lost. */
  losses: number;
  readonly isGrantOver: () => boolean;
};

/** The first refresh token of every foreign session. */
export const FIRST_REFRESH_TOKEN = 'foreign-refresh-0';

export function playForeignServer(world: World, habits: Habits): ForeignServer {
  const sent: string[] = [];
  const requests: { url: string; form: URLSearchParams }[] = [];
  const answers: HttpResponse[] = [];
  const expiries = new Map<string, number>();
  let living = FIRST_REFRESH_TOKEN;
  let isOver = false;
  const nowMs = (): number => world.time.clock.now().monotonicMs;
  const refresh = (form: URLSearchParams): HttpResponse => {
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
