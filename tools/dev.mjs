// @ts-check
// `npm run dev`: the demo with Vite in the place of the built web app, for people who change the web app or the client:
// what they save is in the page at once. One process and one origin, as in `npm start`, so that cookies and origin checks
// are the real ones. A change in the server needs a restart.
import path from 'node:path';
import process from 'node:process';
import { setup } from './setup.mjs';
import { endOnSignals, endWithNpm, reportFailure, root } from './steps.mjs';

endWithNpm();
const stopListening = endOnSignals();
try {
  await setup({ web: false });
  const { createServer } = await import('vite');
  const vite = await createServer({
    root: path.join(root, 'apps', 'web'),
    appType: 'spa',
    server: { middlewareMode: true },
  });
  stopListening();
  // A variable, because the compiled demo is not there before setup has run.
  const compiled = new URL('../apps/api/dist/run-demo.js', import.meta.url).href;
  const { runDemo } = await import(compiled);
  await runDemo(process.env, vite.middlewares);
} catch (error) {
  reportFailure(error);
  process.exit();
}
