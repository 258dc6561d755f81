// @ts-check
// `npm run bench:server`, `npm run bench:rows`: builds what a bench needs, then runs it. The name of the bench comes first,
// further arguments go on to it (--clients, --seconds, --rounds).
import process from 'node:process';
import { endWithNpm, reportFailure, runInstalled } from './steps.mjs';

endWithNpm();
const [name = 'server-bench'] = process.argv.splice(2, 1);
try {
  await runInstalled('typescript/bin/tsc', ['-b', 'bench'], { quiet: true });
  // A variable, because the compiled bench is not there before.
  const compiled = new URL(`../bench/dist/${name}.js`, import.meta.url).href;
  await import(compiled);
} catch (error) {
  reportFailure(error);
  process.exitCode = 1;
}
