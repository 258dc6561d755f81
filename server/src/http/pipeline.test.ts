// The order of the steps for account endpoints and resource servers. `check-order.test.ts` has the order of a refresh.
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import type { HttpResponse } from '../kernel/http-message.ts';
import { ISSUER, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const FORM = 'application/x-www-form-urlencoded';
const FLOODER = '198.51.100.99';
const BURST = 200;
const API = { id: 'api', secret: 'a-secret-of-the-API-of-32-bytes-or-more' };
let database: TestDatabase;
let server: TestServer;
let accessToken = '';

beforeAll(async () => {
  // The limit's clock stands still, so a sender that used up its requests gets no new ones.
  vi.useFakeTimers({ toFake: ['performance'] });
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl, {
    audience: 'https://api.example',
    resourceServers: [API],
    policy: { requestsPerSecond: 1, requestBurst: BURST },
  });
  const { refreshToken } = await server.signIn();
  // The account endpoints accept only tokens for the issuer.
  accessToken = String((await server.refresh(refreshToken, { resource: ISSUER })).body['access_token']);
  for (let count = 0; count <= BURST; count++) await send('/sessions', { method: 'PUT', address: FLOODER });
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
  vi.useRealTimers();
});

type Draft = {
  method: string;
  address: string;
  body: string;
  readonly headers: Record<string, string>;
};

async function send(path: string, draft: Partial<Draft>): Promise<HttpResponse> {
  const { method = 'POST', address = '192.0.2.1', body = '', headers = {} } = draft;
  const response = await server.holdfast.handle({ method, path, headers, body, remoteAddress: address });
  if (response === null) throw new Error('the path is not ours');
  return response;
}

/** A step that refuses. Adding the fault of a later step does not change the answer. */
type Fault = readonly [name: string, status: number, error: string, apply: (draft: Draft) => void];

const FLOOD: Fault = ['the address', 429, 'temporarily_unavailable', (draft) => (draft.address = FLOODER)];
const METHOD: Fault = ['the method', 405, 'invalid_request', (draft) => (draft.method = 'PUT')];
const EARLY: Fault = ['early data', 425, 'temporarily_unavailable', ({ headers }) => (headers['early-data'] = '1')];
const FOREIGN: Fault = [
  'any page',
  403,
  'access_denied',
  ({ headers }) => (headers['origin'] = 'https://evil.example'),
];
const TOKEN: Fault = ['the token', 401, 'invalid_token', ({ headers }) => (headers['authorization'] = 'Bearer x')];
const CONTENT_TYPE: Fault = ['the form', 400, 'invalid_request', ({ headers }) => (headers['content-type'] = 'a/b')];
/** A page of another client. {@link FOREIGN} replaces it, so it comes first when both apply. */
const OTHER: Fault = ["the client's page", 403, 'access_denied', ({ headers }) => (headers['origin'] ??= WEB_ORIGIN)];
const WEB_ORIGIN = 'https://app.example';
const SECRET: Fault = ['the secret', 401, 'invalid_client', ({ headers }) => (headers['authorization'] = 'Bearer x')];
const PARAMETERS: Fault = ['the parameters', 400, 'invalid_request', (draft) => (draft.body = '')];

const ACCOUNT = [FLOOD, METHOD, EARLY, FOREIGN, TOKEN, CONTENT_TYPE, OTHER, PARAMETERS];
const RESOURCE_SERVER = [METHOD, FOREIGN, CONTENT_TYPE, SECRET, PARAMETERS];

const draftFor = (path: string): Draft =>
  path === '/password'
    ? {
        method: 'POST',
        address: '192.0.2.1',
        body: 'new_password=correct+horse+battery+staple',
        headers: { 'content-type': FORM, authorization: `Bearer ${accessToken}` },
      }
    : {
        method: 'POST',
        address: FLOODER,
        body: 'token=unknown',
        headers: { 'content-type': FORM, authorization: `Bearer ${API.secret}`, 'early-data': '1' },
      };

describe.each([
  ['/password', ACCOUNT],
  ['/introspect', RESOURCE_SERVER],
])('%s', (path, faults) => {
  test.each(faults.map((fault, index) => [fault[0], index] as const))(
    '%s decides, whatever a later step would refuse',
    async (_name, index) => {
      const [fault, ...later] = faults.slice(index);
      if (fault === undefined) throw new Error('no such fault');
      const [, status, error, apply] = fault;
      for (const other of [undefined, ...later]) {
        const draft = draftFor(path);
        other?.[3](draft);
        apply(draft);
        const answer = await send(path, draft);
        expect({ other: other?.[0], status: answer.status, body: JSON.parse(answer.body) as object }).toMatchObject({
          other: other?.[0],
          status,
          body: { error },
        });
      }
    },
  );

  test('answers a request without a fault', async () => {
    expect((await send(path, draftFor(path))).status).toBe(200);
  });
});

test('only steps that a kind takes add their headers', async () => {
  const headers = { origin: WEB_ORIGIN, dpop: 'x' };
  const names = async (path: string): Promise<readonly string[]> =>
    Object.keys((await send(path, { method: 'PUT', headers })).headers)
      .filter((name) => /^(?:vary|dpop-nonce|access-control-allow-origin|allow)$/.test(name))
      .toSorted();
  expect(await names('/token')).toEqual(['access-control-allow-origin', 'allow', 'dpop-nonce', 'vary']);
  expect(await names('/sessions')).toEqual(['access-control-allow-origin', 'allow', 'dpop-nonce', 'vary']);
  expect(await names('/introspect')).toEqual(['allow', 'dpop-nonce']);
  expect(await names('/healthz')).toEqual(['allow']);
});

test('only public documents answer HEAD, without the body of GET', async () => {
  const [get, head] = [await send('/healthz', { method: 'GET' }), await send('/healthz', { method: 'HEAD' })];
  expect(head).toEqual({ ...get, body: '' });
  expect((await send('/sessions', { method: 'HEAD' })).status).toBe(405);
});
