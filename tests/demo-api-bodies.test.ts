// A body without end at the demo's API: whatever refuses it reads no more of it and closes the connection.
import { createDemoApi, demoUser, type DemoApi } from '@holdfast/demo-api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { flood } from '../server/src/testing/flood.ts';
import { signInNative } from './native-session.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

let database: TestDatabase;
let api: DemoApi;
let accessToken: string;

beforeAll(async () => {
  database = await createTestDatabase();
  const secret = 'a secret for tests that is long enough';
  api = await createDemoApi({ databaseUrl: database.databaseUrl, secret, demo: true });
  ({ accessToken } = await signInNative(api.url, demoUser));
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

/** More than the system buffers between two processes: some MB. */
const buffersBytes = 32 * 1_024 * 1_024;

it.each([
  ['POST /token', '', 413],
  ['POST /notes', 'Content-Type: application/json', 413],
  ['POST /notes', 'Content-Type: text/plain', 415],
  ['DELETE /notes', '', 405],
  ['GET /', '', 413],
  ['POST /nothing', '', 413],
])('%s, %s: %i, and no more of the body is read', async (endpoint, header, status) => {
  const head = [
    `${endpoint} HTTP/1.1`,
    'Host: localhost',
    `Authorization: Bearer ${accessToken}`,
    'Transfer-Encoding: chunked',
    ...(header === '' ? [] : [header]),
  ].join('\r\n');
  const { answer, sentBytes, closedAfterMs } = await flood(Number(new URL(api.url).port), `${head}\r\n\r\n`);
  expect(answer.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
  expect(sentBytes).toBeLessThan(buffersBytes);
  expect(closedAfterMs).toBeLessThan(5_000);
});

it('refuses without an access token, and reads no more of the body', async () => {
  const head = 'POST /notes HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
  const { answer, sentBytes } = await flood(Number(new URL(api.url).port), head);
  expect(answer.slice(0, 12)).toBe('HTTP/1.1 401');
  expect(sentBytes).toBeLessThan(buffersBytes);
});
