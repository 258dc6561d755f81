// The rules of style that neither the compiler nor the linter knows. Each takes parsed files and gives findings.
import type { Node } from 'oxc-parser';
import { isTestFile, lineAt, walk, type Finding, type SourceFile } from './source-file.ts';

/** The limits, in lines. */
export const limits = { function: 70, file: 400, testFile: 600, decision: 40 } as const;

/** Names that bring time, chance or the outside into a file. `Math.random` is looked for on its own. */
const impureNames: Readonly<Record<string, string>> = {
  Date: 'the time',
  performance: 'the time',
  setTimeout: 'a deadline',
  setInterval: 'a deadline',
  setImmediate: 'a deadline',
  queueMicrotask: 'an effect',
  crypto: 'random bytes',
  fetch: 'an effect',
  globalThis: 'what is needed',
};

/**
 * Cores are pure: no clock, no chance, no timer.
 *
 * @param cores paths of the files that must be
 */
export function checkPurity(files: readonly SourceFile[], cores: ReadonlySet<string>): readonly Finding[] {
  return collect(
    files.filter((file) => cores.has(file.path)),
    (node, parent, key) => {
      if (node.type !== 'Identifier' || isJustAName(parent, key)) return undefined;
      if (node.name === 'Math' && isMember(parent, 'random')) return impure('Math.random', 'the random number');
      // Pure, unlike the rest of Date.
      if (node.name === 'Date' && (isMember(parent, 'parse') || isMember(parent, 'UTC'))) return undefined;
      const instead = Object.hasOwn(impureNames, node.name) ? impureNames[node.name] : undefined;
      return instead === undefined ? undefined : impure(node.name, instead);
    },
  );
}

function impure(name: string, instead: string): string {
  return `${name} in a core: take ${instead} as an argument, or ask the shell for it with an effect`;
}

/** `a.name`, `{ name: 1 }`, a method's name, a type: not a use of a global. */
function isJustAName(parent: Node | undefined, key: string): boolean {
  if (parent === undefined) return false;
  if (parent.type.startsWith('TS')) return parent.type !== 'TSAsExpression' && parent.type !== 'TSSatisfiesExpression';
  const isComputed = 'computed' in parent && parent.computed;
  return (key === 'property' || key === 'key') && !isComputed;
}

function isMember(parent: Node | undefined, name: string): boolean {
  return parent?.type === 'MemberExpression' && parent.property.type === 'Identifier' && parent.property.name === name;
}

/** Functions are short enough to be seen at once. In tests, `describe` is a heading and not a function. */
export function checkFunctionLength(files: readonly SourceFile[]): readonly Finding[] {
  return collect(files, (node, parent, _key, file) => {
    if (node.type !== 'FunctionDeclaration' && node.type !== 'FunctionExpression' && !isArrow(node)) return undefined;
    if (isTestFile(file.path) && isCallOf(parent, 'describe')) return undefined;
    const length = lineAt(file.text, node.end) - lineAt(file.text, node.start) + 1;
    if (length <= limits.function) return undefined;
    return `a function of ${length} lines: give a part of it a name, so that ${limits.function} are enough`;
  });
}

function isArrow(node: Node): boolean {
  return node.type === 'ArrowFunctionExpression';
}

function isCallOf(parent: Node | undefined, name: string): boolean {
  if (parent?.type !== 'CallExpression') return false;
  let callee: Node = parent.callee;
  // Also when it is called through `each` or `runIf`.
  while (callee.type === 'CallExpression' || callee.type === 'MemberExpression') {
    callee = callee.type === 'CallExpression' ? callee.callee : callee.object;
  }
  return callee.type === 'Identifier' && callee.name === name;
}

/** One file, one concept. */
export function checkFileLength(files: readonly SourceFile[]): readonly Finding[] {
  return files.flatMap((file) => {
    const length = file.text.trimEnd().split('\n').length;
    const limit = isTestFile(file.path) ? limits.testFile : limits.file;
    if (length <= limit) return [];
    const message = `a file of ${length} lines: move one concept to a file of its own, so that ${limit} are enough`;
    return [{ path: file.path, line: limit + 1, message }];
  });
}

/** No `any`, which the linter finds too; here it cannot be switched off by a comment. */
export function checkAny(files: readonly SourceFile[]): readonly Finding[] {
  return collect(files, (node) =>
    node.type === 'TSAnyKeyword' ? 'any: write the type, or `unknown` and a check' : undefined,
  );
}

/** Work that is left is an issue, not a comment. */
export function checkUnfinished(files: readonly SourceFile[]): readonly Finding[] {
  const pattern = /\b(?:TODO|FIXME|XXX|HACK)\b/;
  return files.flatMap((file) =>
    file.comments.flatMap((comment) => {
      const found = pattern.exec(comment.value);
      if (found === null) return [];
      const line = lineAt(file.text, comment.start + 2 + found.index);
      return [{ path: file.path, line, message: `${found[0]} in a comment: do it now, or file an issue` }];
    }),
  );
}

const testNames = new Set(['describe', 'it', 'test', 'suite', 'bench']);
const switches = new Set(['only', 'skip', 'todo']);

/** Every test runs, every time. */
export function checkSwitchedTests(files: readonly SourceFile[]): readonly Finding[] {
  return collect(files, (node) => {
    if (node.type !== 'MemberExpression' || node.property.type !== 'Identifier') return undefined;
    if (!switches.has(node.property.name)) return undefined;
    let object: Node = node.object;
    while (object.type === 'MemberExpression') object = object.object;
    if (object.type !== 'Identifier' || !testNames.has(object.name)) return undefined;
    return `${object.name}.${node.property.name}: run the test, mend it or delete it`;
  });
}

const bannedFolders = new Set(['utils', 'helpers', 'shared', 'types', 'common', 'misc']);

/** Names say what is inside: kebab-case nouns, and no drawer for everything. */
export function checkNames(paths: readonly string[]): readonly Finding[] {
  return paths.flatMap((file) => {
    const folders = file.split('/');
    const name = folders.pop() ?? '';
    const banned = folders.find((folder) => bannedFolders.has(folder));
    if (banned !== undefined) {
      return [{ path: file, line: 1, message: `a folder named ${banned}: name it after what is inside` }];
    }
    if (!/\.(?:[cm]?[jt]s|[jt]sx)$/.test(name) || /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)+$/.test(name)) return [];
    return [{ path: file, line: 1, message: `a file named ${name}: use kebab-case` }];
  });
}

/**
 * A decision fits on a page, and has a number of its own.
 *
 * @param decisions path and text of the files in docs/decisions
 */
export function checkDecisions(decisions: readonly { readonly path: string; readonly text: string }[]) {
  const pathByNumber = new Map<string, string>();
  return decisions.flatMap(({ path, text }): readonly Finding[] => {
    const number = /(?:^|\/)(?<number>\d{4})-[a-z0-9-]+\.md$/.exec(path)?.groups?.['number'];
    if (number === undefined) return [{ path, line: 1, message: 'a decision is named NNNN-title.md' }];
    const other = pathByNumber.get(number);
    pathByNumber.set(number, path);
    if (other !== undefined)
      return [{ path, line: 1, message: `${other} has this number too: take the next free one` }];
    const length = text.trimEnd().split('\n').length;
    if (length <= limits.decision) return [];
    const message = `a decision of ${length} lines: say it in ${limits.decision} (context, choice, rejected, revisit when)`;
    return [{ path, line: limits.decision + 1, message }];
  });
}

/** Runs one question over every node of every file. */
function collect(
  files: readonly SourceFile[],
  question: (node: Node, parent: Node | undefined, key: string, file: SourceFile) => string | undefined,
): readonly Finding[] {
  return files.flatMap((file) => {
    const findings: Finding[] = [];
    walk(file.program, (node, parent, key) => {
      const message = question(node, parent, key, file);
      if (message !== undefined) findings.push({ path: file.path, line: lineAt(file.text, node.start), message });
    });
    return findings;
  });
}
