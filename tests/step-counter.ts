// Counts what code does instead of how long it takes: on a busy machine a time limit says nothing.
import { Session } from 'node:inspector/promises';

export type StepCounter = {
  /**
   * Runs something and counts its steps: each run of a block of the code under test is one, and each character that a built-in
   * function of strings looks at is one.
   */
  readonly count: (run: () => Promise<void>) => Promise<number>;
  readonly stop: () => Promise<void>;
};

/** @param isTested whether the code of a script, named by its URL, is under test */
export async function startStepCounter(isTested: (url: string) => boolean): Promise<StepCounter> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  // Taking the counts sets them to zero.
  const take = async (): Promise<number> => {
    const { result } = await session.post('Profiler.takePreciseCoverage');
    let blocks = 0;
    for (const { url, functions } of result) {
      if (!isTested(url)) continue;
      for (const { ranges } of functions) for (const { count } of ranges) blocks += count;
    }
    return blocks;
  };
  return {
    count: async (run) => {
      await take();
      const characters = countCharacters();
      try {
        await run();
      } finally {
        characters.stop();
      }
      return (await take()) + characters.count();
    },
    stop: async () => {
      await session.post('Profiler.stopPreciseCoverage');
      session.disconnect();
    },
  };
}

type Method = (this: unknown, ...given: unknown[]) => unknown;

/**
 * Methods that look at a whole string, or up to what they find. Regular expressions count as one look at their text, because
 * `tools/regular-expressions.test.ts` shows that each takes linear time.
 */
const stringMethods = [
  'includes',
  'indexOf',
  'lastIndexOf',
  'match',
  'replace',
  'replaceAll',
  'slice',
  'split',
  'trim',
];

function countCharacters(): { readonly count: () => number; readonly stop: () => void } {
  let count = 0;
  const undo: (() => void)[] = [];
  const watch = (
    target: object,
    name: string,
    cost: (text: string, given: readonly unknown[], got: unknown) => number,
  ) => {
    const original = Reflect.get(target, name) as Method;
    const isMethod = target === String.prototype;
    const counting: Method = function counting(...given) {
      const got = original.apply(this, given);
      count += cost(String(isMethod ? this : given[0]), given, got);
      return got;
    };
    Reflect.set(target, name, counting);
    undo.push(() => Reflect.set(target, name, original));
  };
  for (const name of stringMethods) {
    watch(String.prototype, name, (text, [, from], got) => {
      const start = name === 'indexOf' && typeof from === 'number' ? from : 0;
      return (name === 'indexOf' && typeof got === 'number' && got >= 0 ? got : text.length) - start;
    });
  }
  watch(RegExp.prototype, 'test', (text) => text.length);
  // One that is found ends the look: in a loop over all matches each character is looked at once.
  watch(RegExp.prototype, 'exec', (text, _given, got) => (Array.isArray(got) ? String(got[0]).length : text.length));
  watch(globalThis, 'decodeURIComponent', (text) => text.length);
  watch(JSON, 'parse', (text) => text.length);
  return { count: () => count, stop: () => undo.forEach((restore) => restore()) };
}
