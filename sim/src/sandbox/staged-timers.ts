import { stage } from './stage.ts';

// Stands in for the global in the server's code.

const soon = (callback: () => void): void => stage().soon(callback);
export { soon as setImmediate };
