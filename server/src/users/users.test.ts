import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { CREDENTIALS, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts: load from parallel processes must not fail the tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl, { isKnownPassword: (password) => password === 'password1' });
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
});

const GRACE = { username: 'Grace@Example.org', password: 'compilers 1952', name: 'Grace' };

describe('users', () => {
  test('are found by subject and by username in any case', async () => {
    const { users } = server.holdfast;
    const grace = await users.create(GRACE);
    expect(grace).toEqual({ sub: expect.stringMatching(/^[0-9a-f-]{36}$/), username: GRACE.username, name: 'Grace' });
    expect(await users.findById(grace.sub)).toEqual(grace);
    expect(await users.findByUsername('grace@example.ORG')).toEqual(grace);
    expect(await users.findById('00000000-0000-4000-8000-000000000000')).toBeNull();
    expect(await users.findById("' OR true --")).toBeNull();
    expect(await users.findByUsername('nobody')).toBeNull();
  });

  test('with the same name exist once, also if created twice at once', async () => {
    const { users } = server.holdfast;
    const twin = { ...GRACE, username: 'twin' };
    const created = await Promise.allSettled([users.create(twin), users.create({ ...twin, username: 'TWIN' })]);
    expect(created.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await expect(users.create({ ...CREDENTIALS, name: 'Impostor' })).rejects.toMatchObject({ code: 'username-taken' });
  });

  test.each([
    [{ username: '' }, 'invalid-username'],
    [{ username: 'a\u0000b' }, 'invalid-username'],
    [{ username: 'x'.repeat(255) }, 'invalid-username'],
    [{ password: 'short' }, 'invalid-password'],
    [{ password: 'x'.repeat(257) }, 'invalid-password'],
    // The first guesses of an attacker.
    [{ password: 'GRACE@example.org' }, 'invalid-password'],
    [{ password: 'password1' }, 'invalid-password'],
  ])('%j is refused as %s', async (change, code) => {
    await expect(server.holdfast.users.create({ ...GRACE, ...change })).rejects.toMatchObject({ code });
  });
});
