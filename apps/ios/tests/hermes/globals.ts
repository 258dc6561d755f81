/* oxlint-disable eslint/no-extend-native, unicorn/no-array-sort, unicorn/no-array-reverse -- this file is what makes an engine younger */
import './text-encoding.ts';
import { URL, URLSearchParams } from 'whatwg-url-minimum';

// Globals that React Native and Expo add before any app's code runs, and language features that an engine of 2022 lacks. Nothing of it
// is the client's: an app has all of it already.

class Abort {
  aborted = false;
  reason: unknown = undefined;
  readonly listeners = new Set<() => void>();
  addEventListener(_type: string, listener: () => void): void {
    this.listeners.add(listener);
  }
  removeEventListener(_type: string, listener: () => void): void {
    this.listeners.delete(listener);
  }
}

class Controller {
  readonly signal = new Abort();
  abort(reason: unknown = new Error('aborted')): void {
    if (this.signal.aborted) return;
    this.signal.aborted = true;
    this.signal.reason = reason;
    for (const listener of Array.from(this.signal.listeners)) listener();
  }
}

/** A turn of the event loop, as the tests wait for it: this engine's own are those of its promises, one each. */
function afterPromises(callback: () => void, turns = 20): void {
  setTimeout(() => (turns === 0 ? callback() : afterPromises(callback, turns - 1)), 0);
}

Object.assign(globalThis, {
  URL,
  URLSearchParams,
  AbortController: Controller,
  afterPromises,
});

/** Members that are younger than this engine, and part of the one in React Native. */
const younger: Readonly<Record<string, (this: unknown[], ...args: never[]) => unknown>> = {
  at(index: number) {
    return this[index < 0 ? this.length + index : index];
  },
  toSorted(compare: (a: unknown, b: unknown) => number) {
    return Array.from(this).sort(compare);
  },
  toReversed() {
    return Array.from(this).reverse();
  },
};
for (const [name, value] of Object.entries(younger))
  if (!(name in Array.prototype)) Object.defineProperty(Array.prototype, name, { value });
if (!Object.getOwnPropertyNames(Object).includes('hasOwn'))
  Object.defineProperty(Object, 'hasOwn', {
    value: (object: object, name: string) => Object.getOwnPropertyNames(object).includes(name),
  });
