// @ts-check
// `npm run bench:server`: builds what the bench needs, then runs it. Arguments go on to it (--clients, --seconds, --rounds).
import process from 'node:process';
import { endWithNpm, reportFailure, runInstalled } from './steps.mjs';

endWithNpm();
try {
  await runInstalled('typescript/bin/tsc', ['-b', 'bench'], { quiet: true });
  // A variable, because the compiled bench is not there before.
  const compiled = new URL('../bench/dist/server-bench.js', import.meta.url).href;
  await import(compiled);
} catch (error) {
  reportFailure(error);
  process.exitCode = 1;
}
