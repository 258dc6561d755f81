import { defineConfig } from 'vitest/config';

// Vitest prints failures with a function that Node 20 lacks; without it, it ends before it says which test failed.
Map.groupBy ??= <Key, Item>(items: Iterable<Item>, keyOf: (item: Item, index: number) => Key) => {
  const groups = new Map<Key, Item[]>();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index++);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return groups;
};

// Workspace packages are tested from source, so no build has to come first. Node gets these conditions too, for `require` as
// well: no 'import' among them.
const resolve = { conditions: ['@holdfast/source', 'node'] };
const ssr = { resolve };
const globalSetup = ['server/src/testing/postgres.ts'];
// Time limits are there for what hangs, not for what is slow.
const slow = { testTimeout: 60_000, hookTimeout: 120_000 };

export default defineConfig({
  resolve,
  ssr,
  test: {
    passWithNoTests: false,
    projects: [
      { resolve, ssr, test: { name: 'client', include: ['client/src/**/*.test.{ts,tsx}'], ...slow } },
      { resolve, ssr, test: { name: 'server', include: ['server/src/**/*.test.ts'], globalSetup, ...slow } },
      { resolve, ssr, test: { name: 'web', include: ['apps/web/src/**/*.test.ts'] } },
      { resolve, ssr, test: { name: 'tools', include: ['tools/**/*.test.ts'] } },
      { resolve, ssr, test: { name: 'sim', include: ['sim/**/*.test.ts'], ...slow } },
      {
        resolve,
        ssr,
        test: {
          name: 'whole',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/browser/**', 'tests/engines/**', 'tests/packed/**', 'tests/proxy/**'],
          globalSetup,
          ...slow,
        },
      },
      // Installs the packed packages from npm's registry.
      { resolve, ssr, test: { name: 'packed', include: ['tests/packed/**/*.test.ts'], ...slow } },
      // A real caching proxy, named by NGINX_PATH.
      { resolve, ssr, test: { name: 'proxy', include: ['tests/proxy/**/*.test.ts'], globalSetup, ...slow } },
      // Real Chromium, named by CHROMIUM_PATH.
      { resolve, ssr, test: { name: 'browser', include: ['tests/browser/**/*.test.ts'], globalSetup, ...slow } },
      // Real Firefox and WebKit, named by FIREFOX_PATH and WEBKIT_DRIVER_PATH.
      { resolve, ssr, test: { name: 'firefox', include: ['tests/engines/firefox.test.ts'], globalSetup, ...slow } },
      { resolve, ssr, test: { name: 'webkit', include: ['tests/engines/webkit.test.ts'], globalSetup, ...slow } },
    ],
  },
});
