import type { ChildProcess } from 'node:child_process';
import { CLOSE_LIMIT_MS, endsWithin, reportStuck } from '../browser/stuck.ts';

/** A tab in any browser. A `Page` of Playwright is one. */
export type Tab = {
  /** Runs a function in the tab: it sees nothing but its argument; argument and result travel as JSON. */
  evaluate<Result, Argument>(
    work: (argument: Argument) => Result | Promise<Result>,
    argument: Argument,
  ): Promise<Result>;
  evaluate<Result>(work: () => Result | Promise<Result>): Promise<Result>;
  reload(): Promise<unknown>;
  close(): Promise<void>;
};

/** A browser with one profile. */
export type Engine = {
  /** Name and version, as it gives them itself. */
  readonly version: string;
  /** The process that answers its commands. */
  readonly pid: number;
  /** Opens a tab and loads the page. */
  open(url: string): Promise<Tab>;
  close(): Promise<void>;
};

/** One browser at a time: a tab that cannot be closed is given up together with its browser, so it fails no other test. */
export type ReplaceableEngine = {
  /** The browser in use. */
  readonly current: () => Engine;
  /** Closes tabs. Those that are closed already are left out. */
  readonly closeTabs: (tabs: readonly Tab[]) => Promise<void>;
  /** Ends the browser, and the browsers that were given up. */
  readonly end: () => Promise<void>;
};

/**
 * Starts a browser that is replaced when it has to be.
 *
 * @param closeLimitMs default: 20 s
 */
export async function launchReplaceable(
  launch: () => Promise<Engine>,
  closeLimitMs = CLOSE_LIMIT_MS,
): Promise<ReplaceableEngine> {
  let engine = await launch();
  const endings: Promise<void>[] = [];
  return {
    current: () => engine,
    closeTabs: async (tabs) => {
      if (await endsWithin(Promise.allSettled(tabs.map((tab) => tab.close())), closeLimitMs)) return;
      reportStuck('A tab', closeLimitMs);
      endings.push(engine.close());
      engine = await launch();
    },
    end: async () => void (await Promise.allSettled([...endings, engine.close()])),
  };
}

/** The source of a function that takes its argument as JSON and answers with `{ value }` or `{ error }`, as JSON. */
export const inJson = (work: unknown): string => `async (json) => {
  try {
    return JSON.stringify({ value: await (${String(work)})(JSON.parse(json)) });
  } catch (error) {
    return JSON.stringify({ error: String(error) });
  }
}`;

/** The answer of such a function. Throws its error. */
export function readJson(json: string): unknown {
  const { value, error } = JSON.parse(json) as { readonly value?: unknown; readonly error?: string };
  if (error !== undefined) throw new Error(error);
  return value;
}

/** Resolves with the first group of `pattern` in what a program prints. Rejects when it ends before. */
export function waitForOutput(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const found = pattern.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', reject);
    child.once('close', () => reject(new Error(`${child.spawnfile} ended:\n${output}`)));
  });
}
