// The public API: the doors of each package, the names that each exports, and where they are declared. Reads sources and emitted
// declarations alike.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Node } from 'oxc-parser';
import { lineAt, parseSource, type SourceFile } from './source-file.ts';

/** A path that apps can import, such as `holdfast/web`, and the file behind it. */
export type Door = { readonly name: string; readonly file: string };

/** An exported name, or one that its signature uses, with the statements that declare it (overloads are several). */
export type Declaration = {
  readonly name: string;
  readonly source: SourceFile;
  readonly statements: readonly Node[];
  /** The docstring of the first statement; `''`: there is none. */
  readonly docs: string;
  readonly line: number;
};

/** A name of another module, to which a name in a module refers. */
type Link = { readonly specifier: string; readonly name: string };

type Module = {
  readonly source: SourceFile;
  readonly declared: ReadonlyMap<string, readonly Node[]>;
  readonly imported: ReadonlyMap<string, Link>;
  /** Exported names of the module's own, with their local names. */
  readonly exported: ReadonlyMap<string, string>;
  readonly reexported: ReadonlyMap<string, Link>;
  /** Modules that are exported whole. */
  readonly stars: readonly string[];
};

/** Resolves names across modules. */
export type ModuleGraph = {
  /** Everything that a file exports, by exported name, sorted. */
  readonly exportsOf: (file: string) => ReadonlyMap<string, Declaration>;
  /** The declaration that a name in a file refers to; `undefined` for globals, type parameters and other packages. */
  readonly find: (file: string, name: string) => Declaration | undefined;
  /** The declaration that `import('specifier').name` in a file refers to. */
  readonly findImported: (file: string, link: Link) => Declaration | undefined;
};

/** The folders of the packages that are published. */
export const packageFolders = ['client', 'server'] as const;

/**
 * The doors of the published packages, from their `exports`.
 *
 * @param root of a checkout
 * @param condition `@holdfast/source`: the sources; `types`: the declarations that the compiler wrote
 */
export function readDoors(root: string, condition: '@holdfast/source' | 'types'): readonly Door[] {
  return packageFolders.flatMap((folder) => {
    const manifest = JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8')) as {
      readonly name: string;
      readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
    };
    return Object.entries(manifest.exports).map(([subpath, targets]) => ({
      name: path.posix.join(manifest.name, subpath),
      file: path.posix.join(folder, targets[condition] ?? ''),
    }));
  });
}

/** Reads modules as they are needed. @param root that file names are relative to */
export function openModules(root: string): ModuleGraph {
  return createModuleGraph((file) => {
    const whole = path.join(root, file);
    return existsSync(whole) ? readFileSync(whole, 'utf8') : undefined;
  });
}

/** @param read a file's text; `undefined`: there is no such file */
export function createModuleGraph(read: (file: string) => string | undefined): ModuleGraph {
  const modules = new Map<string, Module>();
  const load = (file: string): Module => {
    const known = modules.get(file);
    if (known !== undefined) return known;
    const text = read(file);
    if (text === undefined) throw new Error(`${file} does not exist. Declarations are written by: npm run build`);
    const loaded = readModule(parseSource(file, text));
    modules.set(file, loaded);
    return loaded;
  };
  const find = (file: string, name: string): Declaration | undefined => {
    const { declared, imported, source } = load(file);
    const statements = declared.get(name);
    if (statements !== undefined) return declarationOf(name, source, statements);
    const link = imported.get(name);
    return link === undefined ? undefined : findImported(file, link);
  };
  const findImported = (file: string, { specifier, name }: Link): Declaration | undefined =>
    specifier.startsWith('.') ? exportsOf(targetOf(file, specifier)).get(name) : undefined;
  const exportsOf = (file: string): ReadonlyMap<string, Declaration> => {
    const { exported, reexported, stars } = load(file);
    const found = new Map<string, Declaration | undefined>();
    for (const star of stars) for (const [name, each] of exportsOf(targetOf(file, star))) found.set(name, each);
    for (const [name, link] of reexported) found.set(name, findImported(file, link));
    for (const [name, local] of exported) found.set(name, find(file, local));
    return new Map([...found].filter(isFound).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  };
  return { exportsOf, find, findImported };
}

const isFound = (entry: [string, Declaration | undefined]): entry is [string, Declaration] => entry[1] !== undefined;

/** Declarations import `./a.ts` too, and mean `./a.d.ts`. */
function targetOf(file: string, specifier: string): string {
  const target = path.posix.join(path.posix.dirname(file), specifier);
  return file.endsWith('.d.ts') ? target.replace(/(?:\.d)?\.tsx?$/, '.d.ts') : target;
}

function declarationOf(name: string, source: SourceFile, statements: readonly Node[]): Declaration {
  const start = statements[0]?.start ?? 0;
  return { name, source, statements, docs: docsBefore(source, start), line: lineAt(source.text, start) };
}

/** The docstring that ends where a node starts. */
export function docsBefore({ comments, text }: SourceFile, start: number): string {
  const last = comments.findLast(({ end }) => end <= start);
  const isDocs = last?.type === 'Block' && last.value.startsWith('*');
  return isDocs && text.slice(last.end, start).trim() === '' ? last.value : '';
}

function readModule(source: SourceFile): Module {
  const declared = new Map<string, readonly Node[]>();
  const imported = new Map<string, Link>();
  const exported = new Map<string, string>();
  const reexported = new Map<string, Link>();
  const stars: string[] = [];
  const declare = (statement: Node, declaration: Node, isExported: boolean): void => {
    for (const name of namesOf(declaration)) {
      declared.set(name, [...(declared.get(name) ?? []), statement]);
      if (isExported) exported.set(name, name);
    }
  };
  for (const statement of source.program.body) {
    if (statement.type === 'ImportDeclaration') {
      for (const each of statement.specifiers) {
        const name = each.type === 'ImportSpecifier' ? nameOf(each.imported) : 'default';
        imported.set(each.local.name, { specifier: statement.source.value, name });
      }
    } else if (statement.type === 'ExportAllDeclaration') stars.push(statement.source.value);
    else if (statement.type !== 'ExportNamedDeclaration') declare(statement, statement, false);
    else if (statement.declaration) declare(statement, statement.declaration, true);
    else {
      for (const { local, exported: as } of statement.specifiers) {
        if (statement.source === null) exported.set(nameOf(as), nameOf(local));
        else reexported.set(nameOf(as), { specifier: statement.source.value, name: nameOf(local) });
      }
    }
  }
  return { source, declared, imported, exported, reexported, stars };
}

const nameOf = (node: Node): string =>
  node.type === 'Identifier' ? node.name : node.type === 'Literal' ? String(node.value) : '';

/** The names that a statement declares. */
function namesOf(declaration: Node): readonly string[] {
  if (declaration.type === 'VariableDeclaration') return declaration.declarations.map(({ id }) => nameOf(id));
  const id = 'id' in declaration ? declaration.id : null;
  return id === null ? [] : [nameOf(id)];
}
