// The house in numbers. House rules are checked by tidy.ts; these figures have no limits and are there to be compared.
import { checkCircles } from './floors.ts';
import { openModules, packageFolders, readDoors } from './public-api.ts';
import { isTestFile, lineAt, readSourceFiles, walk, type SourceFile } from './source-file.ts';

/** The figures of a checkout, as tables in Markdown. */
export function writeFigures(root: string): string {
  const files = readSourceFiles(root);
  return [
    '## Files and lines by folder',
    table(['folder', 'files', 'lines', 'test files', 'test lines'], countByFolder(files)),
    '## Functions with a body, in lines, without tests',
    table(['folder', 'functions', 'median', 'p95', 'longest'], byArea(files, measureFunctions)),
    '## Import circles',
    `${checkCircles(files).length}`,
    '## Exports of the public doors',
    table(['package', 'exports', 'with docstring'], countExports(root)),
    '## Lines of comments',
    table(
      ['folder', 'lines', 'open with What, Who or Whether', 'with somebody, nobody or whoever'],
      byArea(files, readComments),
    ),
  ].join('\n\n');
}

type Row = readonly (string | number)[];

function table(head: readonly string[], rows: readonly Row[]): string {
  const lineOf = (cells: Row): string =>
    `| ${cells.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell)).join(' | ')} |`;
  return [lineOf(head), lineOf(head.map((_, index) => (index === 0 ? '---' : '--:'))), ...rows.map(lineOf)].join('\n');
}

/** One row a top folder, where the measure finds anything, and one for all. */
function byArea(
  files: readonly SourceFile[],
  measure: (files: readonly SourceFile[]) => readonly number[],
): readonly Row[] {
  const areas = group(files, ({ path }) => (path.includes('/') ? path.slice(0, path.indexOf('/')) : '.'));
  return [...areas, ['all', files] as const]
    .map(([name, own]) => [name, ...measure(own)])
    .filter(([, count]) => count !== 0);
}

/** Folders three levels deep; a file that lies deeper counts there. */
function countByFolder(files: readonly SourceFile[]): readonly Row[] {
  const folders = group(files, ({ path }) => path.split('/').slice(0, -1).slice(0, 3).join('/') || '.');
  return folders.map(([folder, own]) => {
    const sources = own.filter(({ path }) => !isTestFile(path));
    const tests = own.filter(({ path }) => isTestFile(path));
    return [folder, sources.length, linesOf(sources), tests.length, linesOf(tests)];
  });
}

function group(
  files: readonly SourceFile[],
  nameOf: (file: SourceFile) => string,
): readonly (readonly [string, readonly SourceFile[]])[] {
  const names = [...new Set(files.map(nameOf))].toSorted();
  return names.map((name) => [name, files.filter((file) => nameOf(file) === name)]);
}

const linesOf = (files: readonly SourceFile[]): number =>
  files.reduce((sum, { text }) => sum + text.trimEnd().split('\n').length, 0);

/** How many functions, then median, 95th percentile and maximum of their lines. Arrows with an expression do not count. */
export function measureFunctions(files: readonly SourceFile[]): readonly number[] {
  const lengths: number[] = [];
  for (const { path, program, text } of files) {
    if (isTestFile(path)) continue;
    walk(program, (node) => {
      if (!('body' in node) || node.body === null || !('params' in node)) return;
      if (!('type' in node.body) || node.body.type !== 'BlockStatement') return;
      lengths.push(lineAt(text, node.end) - lineAt(text, node.start) + 1);
    });
  }
  lengths.sort((a, b) => a - b);
  const at = (share: number): number => lengths[Math.max(0, Math.ceil(share * lengths.length) - 1)] ?? 0;
  return [lengths.length, at(0.5), at(0.95), at(1)];
}

/** Lines of comments that are not empty, and how many of them send the reader looking for the subject. */
export function readComments(files: readonly SourceFile[]): readonly number[] {
  const lines = files
    .flatMap(({ comments }) => comments.flatMap(({ value }) => value.split('\n')))
    .map((line) => line.replace(/^[\s*]+/, ''))
    .filter((line) => line !== '');
  const count = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;
  return [lines.length, count(/^(?:What|Who|Whether)\b/), count(/\b(?:somebody|nobody|whoever)\b/i)];
}

function countExports(root: string): readonly Row[] {
  const modules = openModules(root);
  const doors = readDoors(root, '@holdfast/source');
  return packageFolders.map((folder) => {
    const own = doors.filter(({ file }) => file.startsWith(`${folder}/`));
    const exports = own.flatMap(({ file }) => [...modules.exportsOf(file).values()]);
    const documented = exports.filter(({ docs }) => docs !== '').length;
    return [folder, exports.length, `${((documented / exports.length) * 100).toFixed(1)} %`];
  });
}
