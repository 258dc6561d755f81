const path = require('node:path');

const own = (name) => path.join(__dirname, 'node_modules', name);

const common = { rootDir: __dirname, globalSetup: './tests/start-server.js', globalTeardown: './tests/stop-server.js' };

module.exports = {
  testTimeout: 60_000,
  projects: [
    {
      ...common,
      displayName: 'screens',
      preset: 'jest-expo/ios',
      testMatch: ['<rootDir>/tests/screens/**/*.test.tsx'],
      setupFiles: ['./tests/screens/native-modules.ts'],
      // The client's imports resolve to this app's packages.
      modulePaths: [path.join(__dirname, 'node_modules')],
      moduleNameMapper: {
        '^holdfast$': path.join(__dirname, '../../client/src/index.ts'),
        '^holdfast/(expo|react)$': path.join(__dirname, '../../client/src/$1/index.ts'),
        // The repository has a React of its own.
        '^react$': own('react'),
        '^react/(.*)$': own('react/$1'),
      },
    },
    {
      rootDir: __dirname,
      displayName: 'project',
      testEnvironment: 'node',
      testMatch: ['<rootDir>/tests/project/**/*.test.ts'],
      transformIgnorePatterns: ['/node_modules/(?!expo/virtual/)'],
    },
    {
      ...common,
      displayName: 'browser',
      testEnvironment: 'node',
      testMatch: ['<rootDir>/tests/browser/**/*.test.ts'],
      transformIgnorePatterns: ['/node_modules/(?!expo/virtual/)'],
    },
  ],
};
