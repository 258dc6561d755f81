// A database outage: the log that should explain it must not drown in repetitions.
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { startTestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
});
afterAll(() => database.drop());

test('an outage with 200 answers of 503 logs one line per kind of fault, and a count when it ends', async () => {
  const lines: { readonly kind: string; readonly count?: number; readonly message: string }[] = [];
  const write = (fields: object, message: string): void => void lines.push({ kind: '', ...fields, message });
  const server = await startTestServer(database.databaseUrl, {
    logger: { info: write, warn: write, error: write },
  });
  const { refreshToken } = await server.signIn();
  await database.drop();
  for (let count = 0; count < 200; count++) {
    const { status, body } = await server.refresh(refreshToken);
    expect({ status, error: body['error'] }).toEqual({ status: 503, error: 'temporarily_unavailable' });
  }
  const kinds = lines.map(({ kind }) => kind);
  expect(kinds).toContain('database');
  // Idle connections and answers: each kind has logged its failure once.
  expect(kinds.toSorted()).toEqual([...new Set(kinds)].toSorted());
  await server.holdfast.close();
  const over = lines.filter(({ message, kind }) => message.startsWith('over: ') && kind === 'database');
  expect(over).toMatchObject([{ count: 200 }]);
  expect(lines.length).toBeLessThanOrEqual(2 * new Set(kinds).size);
});
