// The API report: one page a door, with the signature of every export. A change of a report is a change of the public API.
import type { Node } from 'oxc-parser';
import { docsBefore, type Declaration, type Door, type ModuleGraph } from './public-api.ts';
import { walk } from './source-file.ts';

/** Where the report of a door is kept. */
export const reportFile = ({ name }: Door): string => `docs/api/${name.replace('@holdfast/', '').replace('/', '-')}.md`;

/** A part of a text to be replaced. */
type Cut = { readonly start: number; readonly end: number; readonly instead: string };

/**
 * Writes the report of one door: its exports, and the types that these use and no door exports. Members marked `@internal` are
 * named without their types.
 *
 * @param doors all doors, with declarations as their files
 */
export function writeReport(modules: ModuleGraph, door: Door, doors: readonly Door[]): string {
  const exports = modules.exportsOf(door.file);
  const doorOf = new Map<string, string>();
  for (const other of doors)
    for (const each of modules.exportsOf(other.file).values())
      if (!doorOf.has(keyOf(each))) doorOf.set(keyOf(each), other.name);
  const own = new Set([...exports.values()].map(keyOf));
  const reached = reach(modules, [...exports.values()], (key) => doorOf.has(key)).filter(
    (each) => !own.has(keyOf(each)),
  );
  const foreign = reached.flatMap((each) => {
    const from = doorOf.get(keyOf(each));
    return from === undefined ? [] : [`- \`${each.name}\` from \`${from}\``];
  });
  const unnamed = reached.filter((each) => !doorOf.has(keyOf(each)));
  return [
    `# \`${door.name}\``,
    'Written by `npm run api`. A change of this page is a change of the public API.',
    '## Exports',
    codeOf([...exports]),
    ...(unnamed.length > 0 ? ['## Types of these signatures that are not exported', codeOf(unnamed.map(named))] : []),
    ...(foreign.length > 0 ? ['## Types of other doors', foreign.join('\n')] : []),
    '',
  ]
    .join('\n\n')
    .trimEnd()
    .concat('\n');
}

const keyOf = ({ source, name }: Declaration): string => `${source.path}#${name}`;
const named = (declaration: Declaration): readonly [string, Declaration] => [declaration.name, declaration];

/** The declarations that some others use, and those that these use, sorted; `isEnd`: not followed any further. */
function reach(
  modules: ModuleGraph,
  from: readonly Declaration[],
  isEnd: (key: string) => boolean,
): readonly Declaration[] {
  const found = new Map<string, Declaration>();
  const follow = (declaration: Declaration): void => {
    for (const each of usedBy(modules, declaration)) {
      if (found.has(keyOf(each))) continue;
      found.set(keyOf(each), each);
      if (!isEnd(keyOf(each))) follow(each);
    }
  };
  for (const each of from) follow(each);
  return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function usedBy(modules: ModuleGraph, { source, statements }: Declaration): readonly Declaration[] {
  const used: (Declaration | undefined)[] = [];
  for (const statement of statements) {
    const hidden = internalMembers(statement, source);
    walk(statement, (node) => {
      if (hidden.some(({ start, end }) => node.start >= start && node.end <= end)) return;
      if (node.type === 'TSImportType' && node.qualifier?.type === 'Identifier')
        used.push(modules.findImported(source.path, { specifier: node.source.value, name: node.qualifier.name }));
      const name = referenceOf(node);
      if (name !== undefined) used.push(modules.find(source.path, name));
    });
  }
  return used.filter((each) => each !== undefined);
}

/** The name that a node refers to by itself. */
function referenceOf(node: Node): string | undefined {
  const target =
    node.type === 'TSTypeReference'
      ? node.typeName
      : node.type === 'TSTypeQuery'
        ? node.exprName
        : node.type === 'TSInterfaceHeritage' || node.type === 'TSClassImplements'
          ? node.expression
          : node.type === 'ClassDeclaration'
            ? node.superClass
            : null;
  return target?.type === 'Identifier' ? target.name : undefined;
}

/** Members for this package's own functions, which apps must not use. */
function internalMembers(statement: Node, source: Declaration['source']): readonly Cut[] {
  const cuts: Cut[] = [];
  walk(statement, (node) => {
    if (node.type !== 'TSPropertySignature' && node.type !== 'TSMethodSignature') return;
    if (!docsBefore(source, node.start).includes('@internal')) return;
    const key = source.text.slice(node.key.start, node.key.end);
    cuts.push({ start: node.start, end: node.end, instead: `// internal: ${key}` });
  });
  return cuts;
}

function codeOf(declarations: readonly (readonly [string, Declaration])[]): string {
  const texts = declarations.map(([name, declaration]) => textOf(declaration, name));
  return `\`\`\`typescript\n${texts.join('\n\n')}\n\`\`\``;
}

/** The text of a declaration without its comments. */
function textOf({ source, statements, name: declaredName }: Declaration, name: string): string {
  const texts = statements.map((statement) => {
    const comments = source.comments.map(({ start, end }) => ({ start, end, instead: '' }));
    const cuts = [...comments, ...internalMembers(statement, source)]
      .filter(({ start, end }) => start >= statement.start && end <= statement.end)
      .toSorted((a, b) => b.start - a.start);
    let text = source.text.slice(statement.start, statement.end);
    for (const { start, end, instead } of cuts)
      text = text.slice(0, start - statement.start) + instead + text.slice(end - statement.start);
    return tidy(text);
  });
  const alias = name === declaredName ? [] : [`// exported as ${name}`];
  return [...alias, ...texts].join('\n');
}

/** A declaration as a person would have written it: the compiler leaves gaps where comments were. */
function tidy(text: string): string {
  return text
    .replace(/^export (?:declare )?/, '')
    .replaceAll(/[^\S\n]+$/gm, '')
    .replaceAll(/\n+(?=\n)/g, '')
    .replaceAll(/(?<==)\n(?=\{)|\n(?= \|)/g, ' ')
    .replaceAll(/ {2,}(?=\|)/g, ' ')
    .replaceAll('    ', '  ');
}
