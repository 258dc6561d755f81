import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { createHoldfast, type Holdfast } from '../holdfast.ts';
import type { HttpRequest } from '../kernel/http-message.ts';
import { newSid } from '../kernel/ids.ts';
import { createKeyRing } from '../kernel/key-ring.ts';
import { ISSUER, SECRET, serverOptions, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { createProver } from '../testing/proof.ts';
import { formatRefreshToken, newNonce } from '../tokens/refresh-token.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/**
 * The checks of a refresh, in order. Each row is a request that fails at its check and passes all earlier ones. Adding
 * the fault of a later check does not change the answer.
 */
type Fault = {
  readonly name: string;
  readonly status: number;
  readonly error: string;
  readonly reason?: string;
  readonly apply: (request: Draft) => void;
};

type Draft = {
  method: string;
  address: string;
  readonly headers: Record<string, string>;
  readonly form: Record<string, string>;
  /** A parameter to send twice. */
  duplicate: string;
};

const OLD_SECRET = 'a master secret that was given up, 32 bytes';
const FLOODER = '198.51.100.99';
const owner = createProver();
let database: TestDatabase;
let server: TestServer;
let bound = '';
let nonce = '';

const mint = (secret: string, sid = newSid()): string =>
  formatRefreshToken({ sid, generation: 0, nonce: newNonce(), secret: Buffer.alloc(16) }, createKeyRing(secret));

/** From the first check to the last. */
const FAULTS: readonly Fault[] = [
  {
    name: 'the address sends too much',
    status: 429,
    error: 'temporarily_unavailable',
    reason: 'rate_limited',
    apply: (draft) => (draft.address = FLOODER),
  },
  { name: 'the method', status: 405, error: 'invalid_request', apply: (draft) => (draft.method = 'GET') },
  {
    name: 'TLS early data',
    status: 425,
    error: 'temporarily_unavailable',
    reason: 'early_data',
    apply: (draft) => (draft.headers['early-data'] = '1'),
  },
  {
    name: 'the content type',
    status: 400,
    error: 'invalid_request',
    apply: (draft) => (draft.headers['content-type'] = 'text/plain'),
  },
  { name: 'a duplicate', status: 400, error: 'invalid_request', apply: (draft) => (draft.duplicate = 'grant_type') },
  { name: 'the client', status: 400, error: 'invalid_client', apply: ({ form }) => (form['client_id'] = 'nobody') },
  {
    name: 'the page that sent it',
    status: 403,
    error: 'access_denied',
    reason: 'csrf',
    apply: ({ headers }) => (headers['origin'] = 'https://evil.example'),
  },
  {
    name: 'the grant type',
    status: 400,
    error: 'unsupported_grant_type',
    apply: ({ form }) => (form['grant_type'] = 'password'),
  },
  { name: 'the form of the scope', status: 400, error: 'invalid_scope', apply: ({ form }) => (form['scope'] = '"') },
  {
    name: "the token's tag",
    status: 400,
    error: 'invalid_grant',
    reason: 'malformed',
    apply: ({ form }) => (form['refresh_token'] = `${bound.slice(0, -1)}${bound.endsWith('A') ? 'B' : 'A'}`),
  },
  {
    name: 'the DPoP proof',
    status: 400,
    error: 'invalid_dpop_proof',
    reason: 'proof_invalid',
    apply: ({ headers }) => (headers['dpop'] = 'garbage'),
  },
  {
    name: "the session's row",
    status: 400,
    error: 'invalid_grant',
    reason: 'unknown',
    apply: ({ form }) => (form['refresh_token'] = mint(SECRET)),
  },
];

beforeAll(async () => {
  // The limit's clock stands still, so a sender that used up its requests gets no new ones.
  vi.useFakeTimers({ toFake: ['performance'] });
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl, {
    retiredSecrets: [OLD_SECRET],
    policy: { requestsPerSecond: 1, requestBurst: 500 },
  });
  const { refreshToken, sid } = await server.signIn();
  await server.alter(sid, `dpop_jkt = '${owner.jkt}'`);
  bound = refreshToken;
  nonce = String((await server.refresh(bound)).headers['dpop-nonce']);
  for (let count = 0; count < 600; count++)
    await send(server.holdfast, { ...draft(), address: FLOODER, method: 'GET' });
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
  vi.useRealTimers();
});

function draft(): Draft {
  return {
    method: 'POST',
    address: '192.0.2.1',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      dpop: owner.prove({ htu: `${ISSUER}/token`, nonce }),
    },
    form: { client_id: 'native', grant_type: 'refresh_token', refresh_token: bound },
    duplicate: '',
  };
}

async function send(holdfast: Holdfast, { method, address, headers, form, duplicate }: Draft) {
  const body = new URLSearchParams(form);
  if (duplicate !== '') body.append(duplicate, form[duplicate] ?? '');
  const request: HttpRequest = { method, path: '/token', headers, body: body.toString(), remoteAddress: address };
  const response = await holdfast.handle(request);
  if (response === null) throw new Error('the path is not ours');
  return { status: response.status, headers: response.headers, body: JSON.parse(response.body) as object };
}

function expectFault(answer: Awaited<ReturnType<typeof send>>, { status, error, reason }: Fault): void {
  expect(answer).toMatchObject({ status, body: { error, ...(reason !== undefined && { reason }) } });
}

test('a request without a fault is answered', async () => {
  expect(await send(server.holdfast, draft())).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
});

// If a later check came first, the server would do work or reveal something that the earlier check must prevent.
test.each(FAULTS.map((fault, index) => [fault.name, index] as const))(
  '%s decides, whatever else is wrong',
  async (_, index) => {
    const [fault, ...later] = FAULTS.slice(index);
    if (fault === undefined) throw new Error('no such fault');
    for (const other of [null, ...later]) {
      const request = draft();
      other?.apply(request);
      fault.apply(request);
      expectFault(await send(server.holdfast, request), fault);
    }
  },
);

test('a client that is rate-limited learns when to retry, and others are served', async () => {
  const { headers } = await send(server.holdfast, { ...draft(), address: FLOODER });
  expect(Number(headers['retry-after'])).toBeGreaterThan(0);
  expect(await send(server.holdfast, draft())).toMatchObject({ status: 200 });
});

test('every check before the row works without the database', async () => {
  const holdfast = await createHoldfast({ ...serverOptions(database.databaseUrl), retiredSecrets: [OLD_SECRET] });
  const queries = vi.spyOn(holdfast.database, 'connect');
  try {
    // Leave out the first check and the one that needs a row.
    for (const fault of FAULTS.slice(1, -1)) {
      const request = draft();
      fault.apply(request);
      expectFault(await send(holdfast, request), fault);
    }
    const retired = draft();
    retired.form['refresh_token'] = mint(OLD_SECRET);
    expect(await send(holdfast, retired)).toMatchObject({ status: 400, body: { reason: 'retired_key' } });
    const unknown = draft();
    unknown.form['refresh_token'] = mint(`${SECRET}, yet another`);
    expect(await send(holdfast, unknown)).toMatchObject({ status: 503, body: { reason: 'unavailable' } });
    expect(queries).not.toHaveBeenCalled();
  } finally {
    await holdfast.close();
  }
});

// Behind a proxy every request comes from one address. An address that the sender invents must not get a new budget.
test('behind a trusted proxy each sender has its own limit and cannot evade it by a forged header', async () => {
  const holdfast = await createHoldfast({
    ...serverOptions(database.databaseUrl),
    trustedProxies: 1,
    policy: { requestsPerSecond: 1, requestBurst: 2, dpopNonce: 'when_stale' },
  });
  try {
    const from = async (forwardedFor: string): Promise<number> => {
      const request = draft();
      request.method = 'GET';
      request.headers['x-forwarded-for'] = forwardedFor;
      return (await send(holdfast, request)).status;
    };
    expect([await from('198.51.100.1'), await from('198.51.100.1'), await from('198.51.100.1')]).toEqual([
      405, 405, 429,
    ]);
    expect(await from('203.0.113.7, 198.51.100.1')).toBe(429);
    expect(await from('198.51.100.2')).toBe(405);
    // If the policy does not require nonces, a recent proof passes without one, and an old one needs one.
    const use = async (iat: number | undefined) => {
      const request = draft();
      request.headers['x-forwarded-for'] = `203.0.113.${iat === undefined ? 1 : 2}`;
      request.headers['dpop'] = owner.prove({ htu: `${ISSUER}/token`, ...(iat !== undefined && { iat }) });
      return send(holdfast, request);
    };
    expect(await use(undefined)).toMatchObject({ status: 200 });
    expect(await use(0)).toMatchObject({ status: 400, body: { error: 'use_dpop_nonce' } });
  } finally {
    await holdfast.close();
  }
});

test('unknown paths also count towards the limit if no other handler answers them', async () => {
  const holdfast = await createHoldfast({
    ...serverOptions(database.databaseUrl),
    policy: { requestsPerSecond: 1, requestBurst: 2 },
  });
  try {
    const ask = async (path: string): Promise<number> =>
      (await holdfast.fetch(new Request(`${ISSUER}${path}`), { remoteAddress: '198.51.100.3' })).status;
    expect([await ask('/a'), await ask(`/${'a'.repeat(8_000)}/`), await ask('/a'), await ask('/sessions')]).toEqual([
      404, 404, 429, 429,
    ]);
    // Requests from probes and resource servers are not limited.
    expect(await ask('/healthz')).toBe(200);
  } finally {
    await holdfast.close();
  }
});
