// @ts-check
// `npm start`: makes the working tree ready, then runs the demo: PostgreSQL, the server and the web app, as one
// process that ends as one.
import process from 'node:process';
import { setup } from './setup.mjs';
import { endOnSignals, endWithNpm, reportFailure } from './steps.mjs';

endWithNpm();
const stopListening = endOnSignals();
try {
  await setup();
  stopListening();
  // A variable, because the compiled demo is not there before setup has run.
  const compiled = new URL('../apps/api/dist/main.js', import.meta.url).href;
  await import(compiled);
} catch (error) {
  reportFailure(error);
  process.exit();
}
