import { randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';
import { createWebhookMessage, registerWebhooks, type WebhookRegistration } from './webhooks.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const policy = { webhookPollMs: 20, webhookTimeoutMs: 2_000 };

type Received = {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly path: string;
};

let database: TestDatabase;
let receiver: Server;
let origin: string;
let received: Received[];
/** The receiver's answer: a status, with a header or without. Null: it never answers. */
let answer: (request: Received) => { readonly status: number; readonly location?: string } | null;
const servers: TestServer[] = [];

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const message = { headers: request.headers, body: Buffer.concat(chunks).toString(), path: request.url ?? '' };
      received.push(message);
      const reply = answer(message);
      if (reply === null) return;
      response.writeHead(reply.status, reply.location === undefined ? {} : { location: reply.location }).end('thanks');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => receiver.once('listening', resolve));
  origin = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
beforeEach(() => {
  received = [];
  answer = () => ({ status: 204 });
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map(({ holdfast }) => holdfast.close()));
});
afterAll(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  await database.drop();
});

const start = async (
  webhook: Partial<WebhookRegistration> = {},
  overrides: Readonly<Record<string, number>> = {},
): Promise<TestServer> => {
  const server = await startTestServer(database.databaseUrl, {
    webhooks: [
      { id: 'crm', url: `${origin}/hook`, secret, events: ['session.created', 'session.revoked'], ...webhook },
    ],
    policy: { ...policy, ...overrides },
  });
  servers.push(server);
  return server;
};
const about = (sid: string): readonly Received[] => received.filter(({ body }) => body.includes(sid));
/** Makes deliveries that wait for their next attempt due now. */
const hurry = (server: TestServer): Promise<unknown> =>
  server.holdfast.database.query('UPDATE holdfast.webhook_deliveries SET due_at = now() WHERE dead_at IS NULL');
const waiting = async (server: TestServer, endpoint: string): Promise<number> =>
  (await server.holdfast.database.query('SELECT 1 FROM holdfast.webhook_deliveries WHERE endpoint = $1', [endpoint]))
    .rowCount ?? 0;

test('an event arrives with a signature that other libraries verify, and is not sent again after a success', async () => {
  const server = await start();
  const { sid, refreshToken } = await server.signIn();
  await server.post('/revoke', { client_id: 'native', token: refreshToken });
  await vi.waitFor(() => expect(about(sid)).toHaveLength(2));
  const events = about(sid).map(({ body, headers }) => {
    const verified = new Webhook(secret).verify(body, {
      'webhook-id': String(headers['webhook-id']),
      'webhook-timestamp': String(headers['webhook-timestamp']),
      'webhook-signature': String(headers['webhook-signature']),
    });
    return verified as { readonly type: string; readonly data: Readonly<Record<string, unknown>> };
  });
  const ofType = (type: string) => events.find((event) => event.type === type)?.data;
  expect(ofType('session.created')).toMatchObject({ sid, clientId: 'native', address: '192.0.2.1' });
  expect(ofType('session.revoked')).toMatchObject({ sid, reason: 'signed_out' });
  const logged = await server.holdfast.auditLog.list({ sid });
  expect(new Set(about(sid).map(({ headers }) => headers['webhook-id']))).toEqual(new Set(logged.map(({ id }) => id)));
  await vi.waitFor(async () => expect(await waiting(server, 'crm')).toBe(0));
  for (const { body } of received) expect(body).not.toMatch(/hfrt_|correct horse|eyJ/);
});

test('only registered kinds of events are sent', async () => {
  const server = await start({ id: 'alarms', events: ['session.revoked'] });
  const { sid } = await server.signIn();
  await server.holdfast.sessions.revoke(sid);
  await vi.waitFor(() => expect(about(sid)).toHaveLength(1));
  expect(about(sid)[0]?.body).toContain('session.revoked');
});

describe('a receiver that fails', () => {
  test('gets the same event again, at growing delays, until it accepts it', async () => {
    const server = await start({ id: 'flaky', events: ['session.revoked'] });
    answer = () => ({ status: 500 });
    const { sid } = await server.signIn();
    await server.holdfast.sessions.revoke(sid);
    await vi.waitFor(() => expect(about(sid)).toHaveLength(1));
    const dueInSeconds = async (): Promise<number> => {
      const { rows } = await server.holdfast.database.query<{ seconds: number; attempts: number }>(
        `SELECT extract(epoch FROM due_at - now())::float8 AS seconds FROM holdfast.webhook_deliveries
         WHERE endpoint = 'flaky' AND last_failure = 'status 500'`,
      );
      return rows[0]?.seconds ?? 0;
    };
    await vi.waitFor(async () => expect(await dueInSeconds()).toBeGreaterThan(1));
    expect(await dueInSeconds()).toBeLessThanOrEqual(5);
    answer = () => ({ status: 200 });
    await hurry(server);
    await vi.waitFor(async () => expect(await waiting(server, 'flaky')).toBe(0));
    const [first, second] = about(sid);
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(second?.body).toBe(first?.body);
  });

  test('is abandoned after the last attempt; the operator is warned and can make it due again', async () => {
    const server = await start({ id: 'dead', events: ['session.revoked'] }, { webhookMaxAttempts: 2 });
    answer = () => ({ status: 503 });
    const { sid } = await server.signIn();
    await server.holdfast.sessions.revoke(sid);
    await vi.waitFor(async () => {
      await hurry(server);
      expect(await server.holdfast.webhooks.listAbandoned('dead')).toMatchObject([
        { endpoint: 'dead', attempts: 2, failure: 'status 503', event: { type: 'session.revoked', sid } },
      ]);
    });
    expect(server.events).toContainEqual(expect.objectContaining({ type: 'webhook.abandoned', endpoint: 'dead' }));
    expect(about(sid)).toHaveLength(2);
    answer = () => ({ status: 200 });
    expect(await server.holdfast.webhooks.redeliver('dead')).toBe(1);
    await vi.waitFor(() => expect(about(sid)).toHaveLength(3));
    await vi.waitFor(async () => expect(await waiting(server, 'dead')).toBe(0));
  });

  test('with 410 is abandoned at once', async () => {
    const server = await start({ id: 'gone', events: ['session.revoked'] });
    answer = () => ({ status: 410 });
    await server.holdfast.sessions.revoke((await server.signIn()).sid);
    await vi.waitFor(async () => expect(await server.holdfast.webhooks.listAbandoned('gone')).toHaveLength(1));
  });

  test('with a redirect is not followed, and without an answer delays no other', async () => {
    const server = await start({ id: 'lost', events: ['session.revoked'] }, { webhookTimeoutMs: 200 });
    answer = ({ path }) => (path === '/hook' ? { status: 307, location: `${origin}/elsewhere` } : { status: 200 });
    await server.holdfast.sessions.revoke((await server.signIn()).sid);
    const failure = async (): Promise<unknown> => {
      const { rows } = await server.holdfast.database.query<{ last_failure: string | null }>(
        "SELECT last_failure FROM holdfast.webhook_deliveries WHERE endpoint = 'lost'",
      );
      return rows[0]?.last_failure;
    };
    await vi.waitFor(async () => expect(await failure()).toBe('status 307'));
    answer = () => null;
    await hurry(server);
    await vi.waitFor(async () => expect(await failure()).toBe('no answer in time'));
    expect(received.map(({ path }) => path)).not.toContain('/elsewhere');
  });
});

test('two nodes share the work: every event once while nothing fails', async () => {
  const nodes = [await start({ id: 'shared' }), await start({ id: 'shared' })] as const;
  const sessions = await Promise.all(Array.from({ length: 30 }, (_, index) => nodes[index % 2 === 0 ? 0 : 1].signIn()));
  await vi.waitFor(async () => expect(await waiting(nodes[0], 'shared')).toBe(0));
  expect(sessions.map(({ sid }) => about(sid).length)).toEqual(sessions.map(() => 1));
});

test('the deliveries of a node that died are made by another node', async () => {
  const server = await start({ id: 'heir', events: ['session.revoked'] }, { webhookPollMs: 3_600_000 });
  const { sid } = await server.signIn();
  await server.holdfast.sessions.revoke(sid);
  await server.holdfast.database.query(
    "UPDATE holdfast.webhook_deliveries SET attempts = 1, due_at = now() + interval '40 s' WHERE endpoint = 'heir'",
  );
  const heir = await start({ id: 'heir', events: ['session.revoked'] });
  expect(about(sid)).toEqual([]);
  await server.holdfast.database.query(
    "UPDATE holdfast.webhook_deliveries SET due_at = due_at - interval '40 s' WHERE endpoint = 'heir'",
  );
  await vi.waitFor(() => expect(about(sid)).toHaveLength(1));
  await vi.waitFor(async () => expect(await waiting(heir, 'heir')).toBe(0));
});

describe('a registration', () => {
  const sound = { id: 'crm', url: 'https://crm.example/hook', secret };

  test('is refused with an error that names the field and no secret', () => {
    const wrong: readonly (readonly [Partial<WebhookRegistration>, RegExp])[] = [
      [{ id: 'a b' }, /an id is/],
      [{ url: 'http://crm.example/hook' }, /webhooks\[crm\]\.url/],
      [{ url: 'https://user:password@crm.example/' }, /webhooks\[crm\]\.url/],
      [{ url: 'file:///etc/passwd' }, /webhooks\[crm\]\.url/],
      [{ secret: 'tiny-secret' }, /webhooks\[crm\]\.secret/],
      [{ secret: 'whsec_dGlueQ==' }, /webhooks\[crm\]\.secret/],
      [{ previousSecret: 'whsec_dGlueQ==' }, /webhooks\[crm\]\.secret/],
    ];
    for (const [change, message] of wrong) {
      const attempt = (): unknown => registerWebhooks([{ ...sound, ...change }]);
      expect(attempt).toThrow(message);
      expect(attempt).not.toThrow(/tiny|dGlueQ/);
    }
    expect(() => registerWebhooks([sound, sound])).toThrow(/twice/);
  });

  test('with two secrets signs for receivers that have one of them', () => {
    const previousSecret = `whsec_${randomBytes(24).toString('base64')}`;
    const [webhook] = registerWebhooks([{ ...sound, previousSecret }]);
    if (webhook === undefined) throw new Error('no webhook');
    const event = { id: 'e1', type: 'server_key.unknown', atMs: 0 } as const;
    const { body, headers } = createWebhookMessage(event, webhook, Date.now() / 1_000);
    for (const known of [secret, previousSecret]) {
      expect(new Webhook(known).verify(body, { ...headers })).toMatchObject({ type: 'server_key.unknown' });
    }
    expect(() => new Webhook(`whsec_${randomBytes(24).toString('base64')}`).verify(body, { ...headers })).toThrow(
      'No matching signature',
    );
  });
});
