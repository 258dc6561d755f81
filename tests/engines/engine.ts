import type { ChildProcess } from 'node:child_process';

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
  /** Opens a tab and loads the page. */
  open(url: string): Promise<Tab>;
  close(): Promise<void>;
};

/** The source of a function that takes its argument as JSON and answers with `{ value }` or `{ error }`, as JSON. */
export const inJson = (work: unknown): string => `async (json) => {
  try {
    return JSON.stringify({ value: await (${String(work)})(JSON.parse(json)) });
  } catch (error) {
    return JSON.stringify({ error: String(error) });
  }
}`;

/** What such a function answered. Throws what it threw. */
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
