// Finds every regular expression of the code, and how long it can take for its input.
import type { Expression, Node, SpreadElement } from 'oxc-parser';
import { check } from 'recheck';
import { lineAt, walk, type Finding, type SourceFile } from './source-file.ts';

/** One regular expression, where it first stands. */
export type Pattern = {
  readonly path: string;
  readonly line: number;
  readonly source: string;
  readonly flags: string;
};

/** Every regular expression literal, each once. */
export function findPatterns(files: readonly SourceFile[]): readonly Pattern[] {
  const patterns = new Map<string, Pattern>();
  for (const { path, text, program } of files) {
    walk(program, (node) => {
      if (node.type !== 'Literal' || !('regex' in node)) return;
      const { pattern: source, flags } = node.regex;
      const key = `${source}/${flags}`;
      if (!patterns.has(key)) patterns.set(key, { path, line: lineAt(text, node.start), source, flags });
    });
  }
  return [...patterns.values()];
}

/** Methods of a string that make a regular expression of a string argument. */
const compilingMethods = new Set(['match', 'matchAll', 'search']);

/** A regular expression that is made at run time cannot be checked before it runs. */
export function checkLiteralPatterns(files: readonly SourceFile[]): readonly Finding[] {
  return files.flatMap(({ path, text, program }) => {
    const findings: Finding[] = [];
    walk(program, (node) => {
      if (!makesPattern(node)) return;
      const message = 'a regular expression made at run time: write a literal, which can be checked';
      findings.push({ path, line: lineAt(text, node.start), message });
    });
    return findings;
  });
}

function makesPattern(node: Node): boolean {
  if (node.type !== 'NewExpression' && node.type !== 'CallExpression') return false;
  const { callee } = node;
  const [argument] = node.arguments;
  if (callee.type === 'Identifier') return callee.name === 'RegExp';
  if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return false;
  return compilingMethods.has(callee.property.name) && isText(argument);
}

function isText(argument: Expression | SpreadElement | undefined): boolean {
  if (argument?.type === 'TemplateLiteral') return true;
  return argument?.type === 'Literal' && typeof argument.value === 'string';
}

/**
 * Regular expressions whose time grows faster than their input.
 *
 * The automaton decides for every input, where a search for bad inputs would only fail to find one.
 */
export async function checkPatternTimes(patterns: readonly Pattern[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { path, line, source, flags } of patterns) {
    const verdict = await check(source, flags, { checker: 'automaton', timeout: 60_000 });
    if (verdict.status === 'safe') continue;
    const why = verdict.status === 'vulnerable' ? `takes ${verdict.complexity.summary} time` : 'cannot be checked';
    findings.push({ path, line, message: `/${source}/${flags} ${why}: write it so that its time is linear` });
  }
  return findings;
}
