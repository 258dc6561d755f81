import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync, visitorKeys, type Comment, type Node, type Program } from 'oxc-parser';

/** One parsed source file. */
export type SourceFile = {
  /** Relative to the repository's root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly comments: readonly Comment[];
  readonly imports: readonly Import[];
};

/** One import, re-export or `import()` with a fixed name. */
export type Import = {
  readonly specifier: string;
  /** Nothing of it is left in the JavaScript. */
  readonly isTypeOnly: boolean;
  readonly line: number;
};

/** The target of an import: a file of the repository, a module of Node, or a package. */
export type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'node' }
  | { readonly kind: 'package'; readonly name: string };

/** Resolves an import of the file `from`. */
export function targetOf(from: string, specifier: string): Target {
  if (specifier.startsWith('.')) return { kind: 'file', path: path.posix.join(path.posix.dirname(from), specifier) };
  if (specifier.startsWith('node:')) return { kind: 'node' };
  const parts = specifier.split('/');
  return { kind: 'package', name: parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/') };
}

/** Something to mend. */
export type Finding = { readonly path: string; readonly line: number; readonly message: string };

const skippedFolders = new Set(['node_modules', 'dist', 'coverage', 'ios', 'android']);

/** Parses every source file of the repository; build output and hidden folders are left out. */
export function readSourceFiles(root: string): readonly SourceFile[] {
  return listFiles(root)
    .filter((file) => /\.(?:[cm]?[jt]s|[jt]sx)$/.test(file))
    .map((file) => parseSource(file, readFileSync(path.join(root, file), 'utf8')));
}

/** Paths of all files under a folder, relative to it, with `/`; build output and hidden folders are left out. */
export function listFiles(root: string, folder = ''): readonly string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.') && !(entry.isDirectory() && isSkipped(folder, entry.name)))
    .flatMap((entry) => {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? listFiles(root, name) : [name];
    });
}

/** `ios` and `android` are generated inside an app, but `apps/ios` is an app. */
function isSkipped(folder: string, name: string): boolean {
  return skippedFolders.has(name) && folder !== 'apps';
}

/** @throws Error when the text does not parse */
export function parseSource(file: string, text: string): SourceFile {
  const result = parseSync(file, text);
  const [error] = result.errors;
  if (error !== undefined) throw new Error(`${file} does not parse: ${error.message}`);
  const { module: modules, program, comments } = result;
  const imports = [
    ...modules.staticImports.map(({ moduleRequest, entries, start }) => ({
      specifier: moduleRequest.value,
      isTypeOnly: entries.length > 0 && entries.every((entry) => entry.isType),
      line: lineAt(text, start),
    })),
    ...modules.staticExports.flatMap(({ entries, start }) => {
      const [first] = entries;
      if (first?.moduleRequest === undefined || first.moduleRequest === null) return [];
      const isTypeOnly = entries.every((entry) => entry.isType);
      return [{ specifier: first.moduleRequest.value, isTypeOnly, line: lineAt(text, start) }];
    }),
    ...modules.dynamicImports.flatMap(({ moduleRequest, start }) => {
      const literal = /^['"`](?<name>[^'"`$]+)['"`]$/.exec(text.slice(moduleRequest.start, moduleRequest.end));
      const specifier = literal?.groups?.['name'];
      return specifier === undefined ? [] : [{ specifier, isTypeOnly: false, line: lineAt(text, start) }];
    }),
  ];
  return { path: file, text, program, comments, imports };
}

/** Calls `visit` for every node, parents first; `key` is the parent's property that holds the node. */
export function walk(node: Node, visit: (node: Node, parent: Node | undefined, key: string) => void): void {
  const step = (current: Node, parent: Node | undefined, key: string): void => {
    visit(current, parent, key);
    for (const childKey of visitorKeys[current.type] ?? []) {
      const child: unknown = Reflect.get(current, childKey);
      for (const each of Array.isArray(child) ? child : [child]) {
        if (isNode(each)) step(each, current, childKey);
      }
    }
  };
  step(node, undefined, '');
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}

/** The line, from 1, of an offset in a text. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

/** True for a test, and for a file that exists for tests alone. */
export function isTestFile(file: string): boolean {
  return /\.test\.tsx?$|\/testing\//.test(file) || file.startsWith('tests/');
}
