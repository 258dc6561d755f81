// A browser may bring as many cookies as it keeps for a host: Node alone would answer 431 to everything, the sign-out included.
import { createDemoApi, type DemoApi } from '@holdfast/demo-api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildServer, secret, serverEnvironment, startServer, type ServerProcess } from './server-process.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

/** The most cookies that browsers keep for one host, each as long as one of ours. */
const cookie = Array.from({ length: 180 }, (_, count) => `${'n'.repeat(37)}${count}=${'v'.repeat(93)}`).join('; ');

let database: TestDatabase;
let node: ServerProcess;
let api: DemoApi;

beforeAll(async () => {
  buildServer();
  database = await createTestDatabase();
  [node, api] = await Promise.all([
    startServer(serverEnvironment(database.databaseUrl)),
    createDemoApi({ databaseUrl: database.databaseUrl, secret }),
  ]);
});
afterAll(async () => {
  await node?.stop();
  await api?.close();
  await database?.drop();
});

it.each(['the server', 'the demo'])('a browser that is full of cookies is answered by %s', async (which) => {
  const url = which === 'the server' ? node.url : api.url;
  expect(cookie.length).toBeGreaterThan(24_000);
  const answer = await fetch(`${url}/healthz`, { headers: { cookie } });
  expect(answer.status).toBe(200);
});
