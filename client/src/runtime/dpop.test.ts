import { describe, expect, it } from 'vitest';
import type { Platform } from '../core/ports.ts';
import { createWorld } from '../testing/world.ts';
import { proofSigner } from './dpop.ts';

const HOUR = 3_600_000;

type Api = {
  /** How far the device's clock is behind the authorization server's. */
  readonly deviceBehindMs?: number;
  /** How far the API's clock is behind the authorization server's. */
  readonly behindMs?: number;
  /** How old a proof may be. */
  readonly windowMs?: number;
  /** How many requests the API refuses, however good the proof is. */
  readonly refusals?: number;
  /** The `Date` of a refusal. Default: none that a script can read, as across origins in a browser. */
  readonly date?: string;
};

/** A signed-in tab, and an API that refuses proofs from its future and proofs older than the window. */
async function setUp({ deviceBehindMs = 0, behindMs = 0, windowMs = 60_000, refusals = 0, date }: Api) {
  const world = createWorld();
  world.server.extra = { ...world.server.extra, token_type: 'DPoP' };
  const serverMs = (): number => world.time.clock.now().wallMs + deviceBehindMs;
  const signProof = proofSigner(({ atMs }) => Promise.resolve(String(atMs)));
  const transport: Platform['transport'] = async (request, signal) => {
    const answer = await world.transport(request, signal);
    return { ...answer, headers: { ...answer.headers, date: new Date(serverMs()).toUTCString() } };
  };
  /** The time of each proof, in seconds after the authorization server's. */
  const times: number[] = [];
  let left = refusals;
  const fetch: typeof globalThis.fetch = (_input, init) => {
    const proofMs = Number(new Headers(init?.headers).get('dpop'));
    times.push(Math.round((proofMs - serverMs()) / 1_000));
    const ageMs = serverMs() - behindMs - proofMs;
    left -= 1;
    if (left < 0 && ageMs >= -1_000 && ageMs <= windowMs) return Promise.resolve(new Response('fine'));
    const headers = { 'www-authenticate': 'DPoP error="invalid_dpop_proof"', ...(date === undefined ? {} : { date }) };
    return Promise.resolve(new Response('', { status: 401, headers }));
  };
  const tab = await world.openSignedInTab({ fetch }, { signProof, transport });
  const statusOf = async (): Promise<number> => (await tab.auth.fetch('https://api.example.com/notes')).status;
  return { times, statusOf };
}

describe('an API that refuses a proof, and whose `Date` cannot be read', () => {
  it.each([
    ['an hour slow', HOUR],
    ['an hour fast', -HOUR],
  ])(
    'gets a proof of 10 s before the authorization server’s time: the device’s clock is %s',
    async (_name, deviceBehindMs) => {
      const { times, statusOf } = await setUp({ deviceBehindMs, behindMs: 5_000 });
      expect([await statusOf(), await statusOf()]).toEqual([200, 200]);
      expect(times).toEqual([0, -10, -10]);
    },
  );

  it('gets the ordinary time again after it has refused the second proof as well', async () => {
    const { times, statusOf } = await setUp({ windowMs: 5_000, refusals: 1 });
    expect([await statusOf(), await statusOf(), await statusOf()]).toEqual([401, 200, 200]);
    expect(times).toEqual([0, -10, 0, 0]);
  });

  it('serves requests that it refused at the same time, each at its second try', async () => {
    const { statusOf } = await setUp({ behindMs: 5_000 });
    expect(await Promise.all([statusOf(), statusOf(), statusOf()])).toEqual([200, 200, 200]);
  });

  it('gets proofs with a usable time also if it sends two `Date` headers', async () => {
    const now = new Date().toUTCString();
    const { times, statusOf } = await setUp({ refusals: 1, date: `${now}, ${now}` });
    expect([await statusOf(), await statusOf()]).toEqual([200, 200]);
    expect(times).toEqual([0, -10, -10]);
  });
});
