import { sqlStateOf } from '../postgres/connections.ts';

/** One line of `holdfast doctor`. */
export type Finding = {
  readonly level: 'ok' | 'warn' | 'fail';
  readonly about: string;
  readonly found: string;
  /** The fix; present only if something is wrong. */
  readonly mend?: string;
};

/** @returns the lines to print */
export function formatFindings(findings: readonly Finding[]): readonly string[] {
  return findings.flatMap(({ level, about, found, mend }) => [
    `${level.padEnd(4)}  ${about.padEnd(14)}  ${found}`,
    ...(mend === undefined ? [] : [`${' '.repeat(22)}mend: ${mend}`]),
  ]);
}

export function ok(about: string, found: string): Finding {
  return { level: 'ok', about, found };
}

export function warn(about: string, found: string, mend: string): Finding {
  return { level: 'warn', about, found, mend };
}

export function fail(about: string, found: string, mend: string): Finding {
  return { level: 'fail', about, found, mend };
}

/** Returns the code of the system or PostgreSQL. Never use the driver's message: it may quote the connection URL. */
export function describeConnection(error: unknown): string {
  const sqlState = sqlStateOf(error);
  if (sqlState !== null) return `SQLSTATE ${sqlState}`;
  if (!(error instanceof Error)) return 'no reason given';
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && code !== 'unavailable') return code;
  return error.cause === undefined ? 'no answer in time' : describeConnection(error.cause);
}
