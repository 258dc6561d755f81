// Strangers can post without limit. Their posts must neither fill the database nor delay the events of real users.
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createSoftAuthenticator, type CeremonyOptions } from '../testing/authenticator.ts';
import { ISSUER, newVerifier, startTestServer, type Answer, type TestServer, type Tokens } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;
let receiver: Server;
const received: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push(body);
      // As slow as real receivers: a thousand deliveries in a row would take a minute.
      setTimeout(() => response.end(), 100);
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  server = await startTestServer(database.databaseUrl, {
    webhooks: [{ id: 'crm', url, secret: `whsec_${randomBytes(32).toString('base64')}` }],
    // A first delay of 15 minutes, longer than the test.
    policy: { passwordAttemptsPerAddress: 20, passwordFirstDelaySeconds: 900, webhookPollMs: 50 },
  });
});
afterAll(async () => {
  await server.holdfast.close();
  receiver.closeAllConnections();
  receiver.close();
  await database.drop();
});

const countRows = async (table: string): Promise<number> => {
  const { rows } = await server.holdfast.database.query<{ count: number }>(
    `SELECT count(*)::int4 AS count FROM holdfast.${table}`,
  );
  return rows[0]?.count ?? 0;
};

/** Gets the challenge of a sign-in, as every visitor can. */
async function begin(): Promise<{
  readonly form: Readonly<Record<string, string>>;
  readonly options: CeremonyOptions;
}> {
  const { challenge } = newVerifier();
  const form = { client_id: 'native', code_challenge: challenge, code_challenge_method: 'S256' };
  const { body } = await server.post('/authorize-challenge', form);
  const options = body['passkey_options'] as CeremonyOptions;
  return { form: { ...form, auth_session: String(body['auth_session']) }, options };
}

/** Answers a challenge with a new authenticator that no user has registered. */
const answerWrongly = ({ form, options }: Awaited<ReturnType<typeof begin>>): Promise<Answer> => {
  const authenticator = createSoftAuthenticator(ISSUER);
  authenticator.create(options);
  return server.post('/authorize-challenge', { ...form, passkey_response: authenticator.get(options) });
};

async function registerPasskey({ accessToken }: Tokens): Promise<ReturnType<typeof createSoftAuthenticator>> {
  const authenticator = createSoftAuthenticator(ISSUER);
  const { body } = await server.ask('POST', '/passkeys/options', accessToken);
  const registered = await server.ask('POST', '/passkeys', accessToken, {
    auth_session: String(body['auth_session']),
    passkey_response: authenticator.create(body['passkey_options'] as CeremonyOptions),
  });
  expect(registered.status).toBe(201);
  return authenticator;
}

/** Signs in and waits for the webhook. @returns the time from sign-in to webhook, in milliseconds */
async function tellNews(): Promise<number> {
  const startedAtMs = performance.now();
  const { sid } = await server.signIn();
  await vi.waitFor(() => expect(received.some((body) => body.includes(sid))).toBe(true), {
    timeout: 30_000,
    interval: 10,
  });
  return performance.now() - startedAtMs;
}

test('a right passkey answer after a wrong one needs a new challenge', async () => {
  const authenticator = await registerPasskey(await server.signIn());
  const begun = await begin();
  const right = { ...begun.form, passkey_response: authenticator.get(begun.options) };
  expect(await answerWrongly(begun)).toMatchObject({ status: 400, body: { error: 'access_denied' } });
  expect(await server.post('/authorize-challenge', right)).toMatchObject({ body: { error: 'invalid_session' } });
  const again = await begin();
  const passkeyResponse = { ...again.form, passkey_response: authenticator.get(again.options) };
  expect(await server.post('/authorize-challenge', passkeyResponse)).toMatchObject({ status: 200 });
});

// WebAuthn Level 3 §7.1: a challenge is good for one answer.
describe.each([
  ['no JSON', 'no JSON'],
  ['JSON of another form', '{"id":"a","type":"public-key"}'],
])('a malformed answer to a registration, %s,', (_, malformed) => {
  test('spends its challenge: the right answer after it registers no passkey', async () => {
    const { accessToken } = await server.signIn();
    const { body } = await server.ask('POST', '/passkeys/options', accessToken);
    const answerWith = (response: string): Promise<Answer> =>
      server.ask('POST', '/passkeys', accessToken, {
        auth_session: String(body['auth_session']),
        passkey_response: response,
      });
    const right = createSoftAuthenticator(ISSUER).create(body['passkey_options'] as CeremonyOptions);
    expect(await answerWith(malformed)).toMatchObject({ body: { error: 'invalid_request' } });
    expect(await answerWith(right)).toMatchObject({ body: { error: 'invalid_session' } });
  });
});

describe('hundreds of wrong answers', () => {
  test('to one challenge: the first spends it, and no other is checked', async () => {
    const begun = await begin();
    const answers = await Promise.all(Array.from({ length: 300 }, () => answerWrongly(begun)));
    const looked = answers.filter(({ body }) => body['error'] !== 'invalid_session');
    expect(looked).toMatchObject([{ status: 400, body: { error: 'access_denied' } }]);
  });

  test('to as many challenges leave ten events and no spent challenge, and do not delay the event of a sign-in', async () => {
    const [events, spent] = [await countRows('events'), await countRows('spent_challenges')];
    for (let count = 0; count < 300; count++)
      expect(await answerWrongly(await begin())).toMatchObject({ body: { reason: 'passkey_unknown' } });
    const waitedMs = await tellNews();
    // A window of one minute keeps ten events of a kind and their sum. On a slow machine the test may span two windows.
    expect((await countRows('events')) - events).toBeLessThanOrEqual(2 * 11 + 1);
    expect(await countRows('spent_challenges')).toBe(spent);
    expect(waitedMs).toBeLessThan(5_000);
  });

  test('to passwords of made-up users leave one row per attempt of the address, and one row for the address', async () => {
    const before = await countRows('password_attempts');
    const { challenge } = newVerifier();
    const guess = (count: number): Promise<Answer> =>
      server.post('/authorize-challenge', {
        client_id: 'native',
        username: `nobody ${count}`,
        password: 'wrong',
        code_challenge: challenge,
        code_challenge_method: 'S256',
      });
    const statuses = [];
    for (let count = 0; count < 300; count++) statuses.push((await guess(count)).status);
    expect(statuses.filter((status) => status === 400).length).toBeLessThanOrEqual(21);
    expect(statuses.at(-1)).toBe(429);
    expect((await countRows('password_attempts')) - before).toBeLessThanOrEqual(22);
    expect(await countRows('webhook_deliveries')).toBeLessThan(40);
  });
});
