import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** An empty database for one test file. */
export type TestDatabase = {
  readonly databaseUrl: string;
  /** Drops the database, and whoever is still connected to it. */
  drop(): Promise<void>;
};

/**
 * Creates a database of its own for a test file on the server that `adminUrl` names.
 *
 * The vitest global setup of this package provides that URL: `createTestDatabase(inject('postgresAdminUrl'))`.
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
