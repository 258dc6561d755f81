// Starts the demo from the environment; see run-demo.ts for its variables.
import { runDemo } from './run-demo.ts';

await runDemo(process.env);
