import { parentPort, workerData } from 'node:worker_threads';
import { explore } from './explore.ts';
import type { SmallSetup } from './small-world.ts';

// Explores one small world on a thread of its own, with the build of the code under test that the command chose.

const { setup, limit } = workerData as { readonly setup: SmallSetup; readonly limit: number };
parentPort?.postMessage(explore(setup, limit), []);
