// Repeated requests: when they are sent, and that they are the same. A fleet of clients that come back at once keeps a
// server down that has just started. A body that is half there the second time is a user's lost work.
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createApiClient, type ApiClient, type RetryPolicy } from './api-client.ts';
import { startResource, type SeenRequest } from './testing/resource.ts';
import { createWorld, settle, type World } from './testing/world.ts';

type Resource = Awaited<ReturnType<typeof startResource>>;

let resource: Resource | null = null;
afterEach(async () => {
  await resource?.close();
  resource = null;
});

describe('the pauses between repetitions', () => {
  type Fleet = {
    readonly world: World;
    readonly api: ApiClient;
    /** Opens another client of the same API. */
    readonly openClient: () => ApiClient;
    /** Time of each try, in ms since the first. */
    readonly triesMs: () => readonly number[];
    down: { readonly status: number; readonly headers?: Record<string, string> } | null;
  };

  /** An API that is down, and a client whose draws are given. */
  async function setUp(retry: Partial<RetryPolicy>, random: () => number = () => 0.5): Promise<Fleet> {
    const world = createWorld();
    const at: number[] = [];
    const fetch: typeof globalThis.fetch = async () => {
      at.push(world.time.clock.now().monotonicMs);
      const { status, headers = {} } = fleet.down ?? { status: 200 };
      return new Response(null, { status, headers });
    };
    const { auth } = await world.openSignedInTab({ fetch }, { random });
    const openClient = (): ApiClient => createApiClient({ baseUrl: 'https://api.example.com', auth, retry });
    const fleet: Fleet = {
      world,
      api: openClient(),
      openClient,
      triesMs: () => at.map((ms) => ms - (at[0] ?? 0)),
      down: { status: 503 },
    };
    return fleet;
  }

  it('double each time: a server that is down is asked less and less often', async () => {
    const { world, api, triesMs } = await setUp({ limit: 5 });
    const answer = api.get('/notes').catch((error: unknown) => error);
    await world.time.advance(60_000);
    expect(await answer).toMatchObject({ code: 'http-status' });
    // Half of 300, 600, 1 200, 2 400 and 4 800 ms.
    expect(triesMs()).toEqual([0, 150, 450, 1_050, 2_250, 4_650]);
  });

  it('grow up to the cap only: the longest wait ends soon after the server is back', async () => {
    const { world, api, triesMs } = await setUp({ limit: 6, capMs: 1_000 });
    const answer = api.get('/notes').catch((error: unknown) => error);
    await world.time.advance(60_000);
    expect(await answer).toMatchObject({ code: 'http-status' });
    expect(triesMs()).toEqual([0, 150, 450, 950, 1_450, 1_950, 2_450]);
  });

  it('end with the cap by default: no repetition waits for more than ten seconds', async () => {
    const { world, api, triesMs } = await setUp({ limit: 9 }, () => 0.999999);
    const answer = api.get('/notes').catch((error: unknown) => error);
    await world.time.advance(120_000);
    expect(await answer).toMatchObject({ code: 'http-status' });
    const tries = triesMs();
    const pausesMs = tries.slice(1).map((ms, index) => ms - (tries[index] ?? 0));
    expect(Math.max(...pausesMs)).toBeGreaterThan(9_990);
    expect(Math.max(...pausesMs)).toBeLessThanOrEqual(10_000);
  });

  it('are drawn anew over the whole step, so a hundred clients do not come back together', async () => {
    let draws = 0;
    // The draws are spread evenly, and the same in every run.
    const { world, openClient, triesMs } = await setUp({ limit: 1 }, () => (draws++ * 0.618034) % 1);
    const answers = Array.from({ length: 100 }, () =>
      openClient()
        .get('/notes')
        .catch(() => null),
    );
    await world.time.advance(300);
    await Promise.all(answers);
    const repeatedMs = triesMs().slice(100);
    expect(repeatedMs).toHaveLength(100);
    for (let tenth = 0; tenth < 10; tenth++) {
      const together = repeatedMs.filter((ms) => ms >= tenth * 30 && ms < (tenth + 1) * 30);
      expect([tenth, together.length > 4 && together.length < 16]).toEqual([tenth, true]);
    }
  });

  it('last as long as Retry-After wants, and never less than the back-off', async () => {
    const patient = await setUp({ limit: 1 });
    patient.down = { status: 429, headers: { 'retry-after': '7' } };
    const first = patient.api.get('/notes').catch(() => null);
    await patient.world.time.advance(8_000);
    await first;
    expect(patient.triesMs()).toEqual([0, 7_000]);

    const hasty = await setUp({ limit: 1, baseMs: 4_000 });
    hasty.down = { status: 429, headers: { 'retry-after': '1' } };
    const second = hasty.api.get('/notes').catch(() => null);
    await hasty.world.time.advance(8_000);
    await second;
    expect(hasty.triesMs()).toEqual([0, 2_000]);
  });
});

describe('over the network', () => {
  const BYTES = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 31) % 256);

  async function setUp(respond: (request: SeenRequest, response: ServerResponse, count: number) => void): Promise<{
    readonly api: ApiClient;
    readonly seen: readonly SeenRequest[];
    /** Lets simulated pauses pass until the answer has arrived. */
    readonly finish: <T>(answer: Promise<T>) => Promise<T>;
  }> {
    let count = 0;
    const started = await startResource((request, response) => respond(request, response, ++count));
    resource = started;
    const world = createWorld();
    const { auth } = await world.openSignedInTab({ resources: [started.url] });
    const finish = async <T>(answer: Promise<T>): Promise<T> => {
      const progress = { isSettled: false };
      const settled = answer.finally(() => (progress.isSettled = true));
      settled.catch(() => {});
      while (!progress.isSettled) {
        await settle();
        await world.time.advance(100);
      }
      return settled;
    };
    return { api: createApiClient({ baseUrl: started.url, auth }), seen: started.seen, finish };
  }

  /** The API is down, then refuses the token, then works: one body is sent three times. */
  const fail = (_request: SeenRequest, response: ServerResponse, count: number): void =>
    void response.writeHead([503, 401][count - 1] ?? 204).end();

  const formOf = (request: SeenRequest): Promise<FormData> =>
    new Response(Uint8Array.from(request.bytes), {
      headers: { 'content-type': request.headers['content-type'] ?? '' },
    }).formData();

  it('a form with a file arrives whole at every try', async () => {
    const { api, seen, finish } = await setUp(fail);
    const body = new FormData();
    body.set('title', 'Größe ≠ Maß');
    body.set('picture', new Blob([BYTES], { type: 'image/png' }), 'a.png');
    const response = await finish(api.post('/pictures', { body, idempotencyKey: 'k1' }));
    expect(response.status).toBe(204);
    expect(seen).toHaveLength(3);
    for (const request of seen) {
      const form = await formOf(request);
      expect(form.get('title')).toBe('Größe ≠ Maß');
      const picture = form.get('picture');
      if (!(picture instanceof Blob)) throw new Error('the file is not there');
      expect([picture.type, Buffer.from(await picture.arrayBuffer()).equals(BYTES)]).toEqual(['image/png', true]);
    }
    expect(seen.map(({ authorization }) => authorization)).toEqual([
      'Bearer access-1',
      'Bearer access-1',
      'Bearer access-2',
    ]);
  });

  it.each([
    ['a Blob', () => new Blob([BYTES], { type: 'application/x-notes' }), 'application/x-notes'],
    ['bytes', () => BYTES, undefined],
  ] as const)('%s arrives whole each time', async (_name, makeBody, type) => {
    const { api, seen, finish } = await setUp(fail);
    const response = await finish(api.put('/file', { body: makeBody() }));
    expect(response.status).toBe(204);
    expect(seen.map(({ bytes }) => bytes.equals(BYTES))).toEqual([true, true, true]);
    expect(seen.map(({ headers }) => headers['content-type'])).toEqual([type, type, type]);
  });

  it('a download is read chunk by chunk: an app can show its progress, and nothing waits for the end', async () => {
    let answering: ServerResponse | null = null;
    const { api, finish } = await setUp((_request, response, count) => {
      if (count === 1) return void response.writeHead(401).end();
      answering = response.writeHead(200, { 'content-length': '12' });
      return response.write('one ');
    });
    const { body, headers } = await finish(api.get('/film'));
    if (!body || !answering) throw new Error('nothing is being answered');
    const server: ServerResponse = answering;
    const reader = body.getReader();
    let receivedBytes = 0;
    const progress: number[] = [];
    for (const next of ['two ', 'end.', null]) {
      const { value } = await reader.read();
      receivedBytes += value?.length ?? 0;
      progress.push(receivedBytes / Number(headers.get('content-length')));
      // The server goes on only when the chunk before has been read.
      expect(server.writableEnded).toBe(false);
      if (next === null) server.end();
      else server.write(next);
    }
    expect(progress).toEqual([4 / 12, 8 / 12, 1]);
    expect((await reader.read()).done).toBe(true);
  });
});
