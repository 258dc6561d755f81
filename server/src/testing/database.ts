import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** An empty database for one test file. */
export type TestDatabase = {
  readonly databaseUrl: string;
  /** Drops the database and its open connections. */
  drop(): Promise<void>;
};

/**
 * Creates an empty database for one test file, on the PostgreSQL server at `adminUrl`. Rejects with the error of `pg`
 * if the
 * server cannot be reached, or if the role of the URL may not create databases.
 *
 * @example
 * const { databaseUrl, drop } = await createTestDatabase('postgres://postgres:secret@127.0.0.1:5432/postgres')
 */
export async function createTestDatabase(adminUrl: string): Promise<TestDatabase> {
  const name = `holdfast_test_${randomBytes(8).toString('hex')}`;
  await administer(adminUrl, `CREATE DATABASE ${name}`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return {
    databaseUrl: url.href,
    drop: () => administer(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function administer(adminUrl: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
