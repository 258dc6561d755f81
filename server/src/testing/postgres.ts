import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../postgres/embedded.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A PostgreSQL on which tests may create databases. */
    readonly postgresAdminUrl: string;
  }
}

/** Provides one PostgreSQL for the whole run: that of DATABASE_URL, else an embedded one in a temporary folder. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const existing = process.env['DATABASE_URL'];
  if (existing) {
    project.provide('postgresAdminUrl', existing);
    return async () => {};
  }
  const dataDirectory = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  // Tests need not survive a power cut; crash tests start their own server.
  const postgres = await startEmbeddedPostgres({ dataDirectory, settings: { fsync: 'off', full_page_writes: 'off' } });
  project.provide('postgresAdminUrl', postgres.databaseUrl);
  return async () => {
    await postgres.stop();
    await rm(dataDirectory, { recursive: true, force: true });
  };
}
