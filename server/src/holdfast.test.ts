import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createHoldfast } from './holdfast.ts';
import { MIGRATIONS } from './postgres/migrations.ts';
import { ISSUER, serverOptions, startTestServer, toTokens, type TestServer } from './testing/client.ts';
import { createTestDatabase, type TestDatabase } from './testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let nodes: readonly [TestServer, TestServer];

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  // Start both nodes at once on an empty database.
  const started = await Promise.all([
    createHoldfast(serverOptions(database.databaseUrl)),
    createHoldfast(serverOptions(database.databaseUrl)),
  ]);
  await Promise.all(started.map((holdfast) => holdfast.close()));
  nodes = [await startTestServer(database.databaseUrl), await startTestServer(database.databaseUrl)];
});
afterAll(async () => {
  await Promise.all(nodes.map(({ holdfast }) => holdfast.close()));
  await database.drop();
});

describe('several nodes on one database', () => {
  test('that start at once share one schema and one signing key', async () => {
    const { rows } = await nodes[0].holdfast.database.query<{ migrations: number; keys: number }>(
      `SELECT (SELECT count(*)::int4 FROM holdfast.migrations) AS migrations,
              (SELECT count(*)::int4 FROM holdfast.signing_keys) AS keys`,
    );
    expect(rows).toEqual([{ migrations: MIGRATIONS.length, keys: 1 }]);
    const { accessToken } = await nodes[0].signIn();
    expect(await nodes[1].holdfast.verifyAccessToken(`Bearer ${accessToken}`)).toMatchObject({ ok: true });
  });

  test('200 uses of one token at once cause one rotation, answer every caller and sign no user out', async () => {
    const { refreshToken, sid } = await nodes[0].signIn();
    await nodes[0].letTimePass(sid, 60_000);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? nodes[0] : nodes[1]).refresh(refreshToken)),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const handedOut = answers
      .filter(({ body }) => 'refresh_token' in body)
      .map((answer) => toTokens(answer).refreshToken);
    expect(handedOut).toHaveLength(1);
    await nodes[0].letTimePass(sid, 60_000);
    const [newest = ''] = handedOut;
    expect(await nodes[1].refresh(newest)).toMatchObject({ status: 200 });
    const { rows } = await nodes[0].holdfast.database.query('SELECT generation FROM holdfast.sessions WHERE id = $1', [
      sid,
    ]);
    expect(rows).toEqual([{ generation: 2 }]);
  });

  test('with rotation at every use, 100 racing uses leave one generation that every caller can continue from', async () => {
    const policy = { rotationIntervalMs: 0, promptRedeliveries: 1_000, maxDecisionAttempts: 1_000 };
    const strict = await startTestServer(database.databaseUrl, { policy });
    try {
      const { refreshToken } = await strict.signIn();
      const answers = await Promise.all(Array.from({ length: 100 }, () => strict.refresh(refreshToken)));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      const copies = new Set(answers.map(({ body }) => body['refresh_token']));
      expect(copies.size).toBe(100);
    } finally {
      await strict.holdfast.close();
    }
  });

  test('many sessions through both nodes at once, each rotated once, cause no deadlock', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 40 }, (_, index) => nodes[index % 2 === 0 ? 0 : 1].signIn()),
    );
    await nodes[0].holdfast.database.query(
      "UPDATE holdfast.sessions SET delivered_at = delivered_at - interval '1 hour'",
    );
    const uses = sessions.flatMap(({ refreshToken }) => [
      nodes[0].refresh(refreshToken),
      nodes[1].refresh(refreshToken),
    ]);
    const answers = await Promise.all(uses);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(answers.filter(({ body }) => 'refresh_token' in body)).toHaveLength(40);
  });
});

describe('a row that another transaction holds', () => {
  test('costs its own session a 503 and no other session anything', async () => {
    const [held, ...others] = await Promise.all(Array.from({ length: 10 }, () => nodes[0].signIn()));
    if (held === undefined) throw new Error('no session');
    await nodes[0].holdfast.database.query(
      "UPDATE holdfast.sessions SET delivered_at = delivered_at - interval '1 hour'",
    );
    const holder = new Client({ connectionString: database.databaseUrl });
    await holder.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT 1 FROM holdfast.sessions WHERE id = $1 FOR UPDATE', [held.sid]);
      // The first request opens a batch; the others join one batch.
      const answers = await Promise.all(
        [...others.slice(0, 1), held, ...others.slice(1)].map(({ refreshToken }) => nodes[0].refresh(refreshToken)),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(9);
      expect(answers[1]).toMatchObject({
        status: 503,
        body: { error: 'temporarily_unavailable', reason: 'unavailable' },
      });
      expect(answers[1]?.headers['retry-after']).toBe('1');
    } finally {
      await holder.query('ROLLBACK');
      await holder.end();
    }
    expect(await nodes[0].refresh(held.refreshToken)).toMatchObject({ status: 200 });
  });
});

describe('start', () => {
  test('refuses a database of a newer release', async () => {
    const newer = await createTestDatabase(inject('postgresAdminUrl'));
    try {
      const holdfast = await createHoldfast(serverOptions(newer.databaseUrl));
      await holdfast.database.query("INSERT INTO holdfast.migrations (version, name) VALUES (99, 'from the future')");
      await holdfast.close();
      await expect(createHoldfast(serverOptions(newer.databaseUrl))).rejects.toMatchObject({ code: 'schema-too-new' });
    } finally {
      await newer.drop();
    }
  });

  test('refuses a wrong master secret, and a roll-over needs the old one once', async () => {
    const other = await createTestDatabase(inject('postgresAdminUrl'));
    const options = serverOptions(other.databaseUrl);
    const next = { ...options, secret: 'another master secret, also long enough' };
    try {
      await (await createHoldfast(options)).close();
      await expect(createHoldfast(next)).rejects.toMatchObject({ code: 'secret-mismatch' });
      await (await createHoldfast({ ...next, acceptedSecrets: [options.secret] })).close();
      await (await createHoldfast(next)).close();
    } finally {
      await other.drop();
    }
  });

  test('names the wrong option', async () => {
    const options = serverOptions(database.databaseUrl);
    await expect(createHoldfast({ ...options, issuer: `${ISSUER}/path` })).rejects.toThrow(/options\.issuer/);
    await expect(createHoldfast({ ...options, secret: 'short' })).rejects.toThrow(/options\.secret/);
    await expect(createHoldfast({ ...options, clients: [] })).rejects.toThrow(/options\.clients/);
    await expect(createHoldfast({ ...options, databaseUrl: 'nowhere' })).rejects.toThrow(/options\.databaseUrl/);
    await expect(createHoldfast({ ...options, policy: { promptRedeliveries: -1 } })).rejects.toThrow(
      /policy\.promptRedeliveries/,
    );
  });
});

test('the database holds no credential in clear', async () => {
  const { refreshToken, accessToken, sid } = await nodes[0].signIn();
  await nodes[0].letTimePass(sid, 60_000);
  const next = toTokens(await nodes[0].refresh(refreshToken)).refreshToken;
  const { rows } = await nodes[0].holdfast.database.query<{ content: string }>(
    `SELECT query_to_xml('SELECT * FROM holdfast.' || table_name, true, false, '')::text AS content
     FROM information_schema.tables WHERE table_schema = 'holdfast'`,
  );
  const dump = rows.map(({ content }) => content).join('\n');
  expect(dump).toContain(sid);
  const secrets = [refreshToken, next].map((token) => Buffer.from(token.slice(5), 'base64url').subarray(34, 50));
  for (const secret of secrets) {
    expect(dump).not.toContain(secret.toString('hex'));
    expect(dump).not.toContain(secret.toString('base64'));
  }
  expect(dump).not.toContain(accessToken);
  expect(dump).not.toContain('correct horse');
  expect(dump).not.toMatch(/hfrt_|"d"|PRIVATE KEY/);
});

test('closing answers 503 to new requests and lets those under way finish', async () => {
  const leaving = await startTestServer(database.databaseUrl);
  const { refreshToken, sid } = await leaving.signIn();
  await leaving.letTimePass(sid, 60_000);
  const underWay = leaving.refresh(refreshToken);
  const closed = leaving.holdfast.close();
  expect(await leaving.refresh(refreshToken)).toMatchObject({ status: 503 });
  expect(await underWay).toMatchObject({ status: 200, body: { refresh_token: expect.any(String) } });
  await closed;
});
