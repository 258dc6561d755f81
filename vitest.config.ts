import { defineConfig } from 'vitest/config';

// Workspace packages are tested from source, so no build has to come first.
const resolve = { conditions: ['@holdfast/source', 'node', 'import', 'default'] };
const ssr = { resolve };

export default defineConfig({
  resolve,
  ssr,
  test: {
    projects: [
      { resolve, ssr, test: { name: 'client', include: ['client/src/**/*.test.ts'] } },
      {
        resolve,
        ssr,
        test: { name: 'server', include: ['server/src/**/*.test.ts'], globalSetup: ['server/src/testing/postgres.ts'] },
      },
      { resolve, ssr, test: { name: 'tools', include: ['tools/**/*.test.ts'] } },
      {
        resolve,
        ssr,
        test: {
          name: 'whole',
          include: ['tests/**/*.test.ts'],
          globalSetup: ['server/src/testing/postgres.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
