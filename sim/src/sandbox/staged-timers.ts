import { stage } from './stage.ts';

// Replaces the global `setImmediate` in the server's code.

const soon = (callback: () => void): void => stage().soon(callback);
export { soon as setImmediate };
