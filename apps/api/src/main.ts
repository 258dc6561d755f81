// Starts the demo from the environment: PORT, DATABASE_URL, HOLDFAST_SECRET.
import { runDemo } from './run-demo.ts';

await runDemo(process.env);
