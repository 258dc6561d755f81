// As much of Vitest as the client's own tests use, for an engine that has nothing but the language. What is not here throws: a test
// never passes because it was not understood.

type Matcher = { readonly isMatcher: true; readonly matches: (value: unknown) => boolean };
type Test = { readonly name: string; readonly run: () => unknown };

type Scope = { readonly name: string; readonly before: (() => unknown)[]; readonly after: (() => unknown)[] };

const tests: Test[] = [];
const scopes: Scope[] = [{ name: '', before: [], after: [] }];

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isMatcher = (value: unknown): value is Matcher => isObject(value) && value['isMatcher'] === true;
const keysOf = (value: object): string[] =>
  Object.keys(value).filter((key) => (value as Record<string, unknown>)[key] !== undefined);

/** `isPartial`: what is expected may leave out members of objects. */
function equals(actual: unknown, expected: unknown, isPartial: boolean): boolean {
  if (isMatcher(expected)) return expected.matches(actual);
  if (Object.is(actual, expected)) return true;
  if (!isObject(actual) || !isObject(expected)) return false;
  if (Array.isArray(expected) !== Array.isArray(actual)) return false;
  if (Array.isArray(expected) && expected.length !== (actual as unknown as unknown[]).length) return false;
  const keys = isPartial && !Array.isArray(expected) ? Object.keys(expected) : keysOf(expected);
  if (!isPartial && keysOf(actual).length !== keys.length) return false;
  return keys.every((key) => equals(actual[key], expected[key], isPartial));
}

const print = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
};

function matchersFor(actual: unknown, isNegated: boolean): Record<string, (expected: never) => void> {
  const check =
    (name: string, holds: (expected: never) => boolean) =>
    (expected: never): void => {
      if (holds(expected) === isNegated)
        throw new Error(`${isNegated ? 'not ' : ''}${name}: ${print(actual)} and ${print(expected)}`);
    };
  const number = actual as number;
  const list = actual as { readonly length: number; readonly includes: (item: unknown) => boolean };
  return {
    toBe: check('toBe', (expected) => Object.is(actual, expected)),
    toEqual: check('toEqual', (expected) => equals(actual, expected, false)),
    toMatchObject: check('toMatchObject', (expected) => equals(actual, expected, true)),
    toBeNull: check('toBeNull', () => actual === null),
    toBeUndefined: check('toBeUndefined', () => actual === undefined),
    toHaveLength: check('toHaveLength', (expected) => list.length === expected),
    toContain: check('toContain', (expected) => list.includes(expected)),
    toMatch: check('toMatch', (expected) => new RegExp(expected).test(String(actual))),
    toBeGreaterThan: check('toBeGreaterThan', (expected) => number > expected),
    toBeGreaterThanOrEqual: check('toBeGreaterThanOrEqual', (expected) => number >= expected),
    toBeLessThan: check('toBeLessThan', (expected) => number < expected),
    toBeLessThanOrEqual: check('toBeLessThanOrEqual', (expected) => number <= expected),
  };
}

/** Matchers on what a promise comes to. */
function settled(promise: Promise<unknown>, isRejection: boolean): Record<string, (expected: never) => Promise<void>> {
  const outcome = promise.then(
    (value) => {
      if (isRejection) throw new Error(`resolved with ${print(value)}`);
      return value;
    },
    (error: unknown) => {
      if (!isRejection) throw error;
      return error;
    },
  );
  const names = Object.keys(matchersFor(null, false));
  return Object.fromEntries(
    names.map((name) => [name, async (expected: never) => matchersFor(await outcome, false)[name]?.(expected)]),
  );
}

const custom = (matches: Matcher['matches']): Matcher => ({ isMatcher: true, matches });

export const expect = Object.assign(
  (actual: unknown) => ({
    ...matchersFor(actual, false),
    not: matchersFor(actual, true),
    rejects: settled(Promise.resolve(actual), true),
    resolves: settled(Promise.resolve(actual), false),
  }),
  {
    objectContaining: (expected: object) => custom((value) => equals(value, expected, true)),
    stringMatching: (expected: RegExp | string) => custom((value) => new RegExp(expected).test(String(value))),
    stringContaining: (expected: string) => custom((value) => String(value).includes(expected)),
    anything: () => custom((value) => value !== null && value !== undefined),
  },
);

/** One test after the other for each case; a name takes the place of `%s` and the like as its number. */
const each =
  <Body>(one: (name: string, body: Body) => void) =>
  (cases: readonly unknown[]) =>
  (name: string, body: (...args: never[]) => unknown): void => {
    for (const [at, given] of cases.entries()) {
      const args = (Array.isArray(given) ? given : [given]) as never[];
      one(`${name} (${at + 1})`, (() => body(...args)) as Body);
    }
  };

const group = (name: string, body: () => unknown): void => {
  scopes.push({ name, before: [], after: [] });
  body();
  scopes.pop();
};

const test = (name: string, body: () => unknown): void => {
  const around = [...scopes];
  tests.push({
    name: [...around.slice(1).map((scope) => scope.name), name].join(' > '),
    run: async () => {
      for (const hook of around.flatMap(({ before }) => before)) await hook();
      await body();
      for (const hook of around.toReversed().flatMap(({ after }) => after)) await hook();
    },
  });
};

export const describe = Object.assign(group, { each: each(group) });
export const it = Object.assign(test, { each: each(test) });
export const beforeEach = (hook: () => unknown): void => void scopes.at(-1)?.before.push(hook);
export const afterEach = (hook: () => unknown): void => void scopes.at(-1)?.after.push(hook);

/** Runs every test. Resolves with the names of those that passed, and why the others did not. */
export async function runTests(): Promise<{ readonly passed: string[]; readonly failed: string[] }> {
  const passed: string[] = [];
  const failed: string[] = [];
  for (const { name, run } of tests) {
    try {
      await run();
      passed.push(name);
    } catch (error) {
      failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { passed, failed };
}
