import { inject } from 'vitest';
import { createTestDatabase as create, type TestDatabase } from '../server/src/testing/database.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** From the server's global setup: a PostgreSQL on which tests may create databases. */
    readonly postgresAdminUrl: string;
  }
}

export type { TestDatabase };

/** An empty database for one test file; drop it at the end. */
export function createTestDatabase(): Promise<TestDatabase> {
  return create(inject('postgresAdminUrl'));
}
