const fs = require('node:fs');
const path = require('node:path');
const { getDefaultConfig } = require('expo/metro-config');

const client = path.resolve(__dirname, '../../client');
const config = getDefaultConfig(__dirname);

// The client is used from its source: no build between a change and the app.
config.watchFolders = [client];
config.resolver.unstable_conditionNames = ['@holdfast/source', 'react-native', 'import', 'require'];

/** `./phone.ts` is `./phone.web.ts` in a browser, where there is one: Metro itself looks for it only where no extension is named. */
function forPlatform(origin, name, platform) {
  if (platform !== 'web' || !/^\.{1,2}\/.*\.ts$/u.test(name)) return name;
  const own = name.replace(/\.ts$/u, '.web.ts');
  return fs.existsSync(path.resolve(path.dirname(origin), own)) ? own : name;
}

config.resolver.resolveRequest = (context, name, platform) => {
  const { originModulePath: origin } = context;
  // The client's optional peers (React, Expo's modules) are this app's, not the repository's.
  const isPeer = origin.startsWith(client + path.sep) && !name.startsWith('.');
  const asApp = isPeer ? { ...context, originModulePath: path.join(__dirname, 'package.json') } : context;
  return context.resolveRequest(asApp, forPlatform(origin, name, platform), platform);
};

module.exports = config;
