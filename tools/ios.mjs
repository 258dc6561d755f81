// @ts-check
// `npm run ios`: the iOS app in the simulator of a Mac, with the demo's server beside it. Needs Xcode and CocoaPods.
import path from 'node:path';
import process from 'node:process';
import { providePackages, setup } from './setup.mjs';
import { CommandError, endOnSignals, endWithNpm, reportFailure, root, run } from './steps.mjs';

const app = path.join(root, 'apps', 'ios');

async function start() {
  if (process.platform !== 'darwin')
    throw new CommandError('An iOS app is built with Xcode, on a Mac. What can be checked here: npm run test:ios');
  await setup();
  await providePackages(app, "Installing the app's packages (npm ci in apps/ios)");
  const server = run(process.execPath, [path.join(root, 'apps', 'api', 'dist', 'main.js')]);
  const simulator = run(process.execPath, [path.join(app, 'node_modules', 'expo', 'bin', 'cli'), 'run:ios'], {
    cwd: app,
  });
  await Promise.all([server, simulator]);
}

endWithNpm();
endOnSignals();
await start().catch(reportFailure);
