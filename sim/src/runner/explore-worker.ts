import { parentPort, workerData } from 'node:worker_threads';
import { exploreChain } from '../explore/chain-explore.ts';
import type { ChainSetup } from '../explore/chain-world.ts';
import { explore } from '../explore/explore.ts';
import type { SmallSetup } from '../explore/small-world.ts';

// Explores one small world on a thread of its own, with the build of the code under test that the command chose.

const { setup, limit } = workerData as { readonly setup: SmallSetup | ChainSetup; readonly limit: number };
const found = await ('begins' in setup ? exploreChain(setup, limit) : explore(setup, limit));
parentPort?.postMessage(found, []);
