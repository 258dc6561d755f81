// What the commands load: the world, freshly built from the sources.
export { play } from './world.ts';
export { drawSetup, withoutFaults } from './setup.ts';
export { STATES } from './states.ts';
