// The rule of imports: core <- shell <- platform <- app. The table is the rule; the first row that fits a file holds.
import path from 'node:path';
import { isTestFile, type Finding, type Import, type SourceFile } from './source-file.ts';

/** A row of the table. */
type Area = {
  readonly name: string;
  readonly holds: (file: string) => boolean;
  readonly mayImport: (target: Target, wanted: Import, from: string) => boolean;
  /** Advice for the message. */
  readonly mend: string;
};

/** The target of an import: a file of the repository, a module of Node, or a package. */
type Target =
  | { readonly kind: 'file'; readonly path: string; readonly area: string }
  | { readonly kind: 'node' }
  | { readonly kind: 'package'; readonly name: string };

/** Packages of this repository; all others come from npm. */
const ownPackage = /^(?:holdfast|@holdfast\/.+)$/;
const clientPackage = /^holdfast$/;

const isNpm = (target: Target): boolean => target.kind === 'package' && !ownPackage.test(target.name);
const isNode = (target: Target): boolean => target.kind === 'node';
const isPackage = (target: Target, name: RegExp): boolean => target.kind === 'package' && name.test(target.name);
const isFileOf = (target: Target, ...areas: readonly string[]): boolean =>
  target.kind === 'file' && areas.includes(target.area);
const isFileUnder = (target: Target, folder: string): boolean =>
  target.kind === 'file' && target.path.startsWith(folder);
const folderOf = (file: string, depth: number): string => `${file.split('/').slice(0, depth).join('/')}/`;

const clientFacade = 'client/src/index.ts';

/** @param clientCore the files of client/tsconfig.core.json */
function clientAreas(clientCore: ReadonlySet<string>): readonly Area[] {
  return [
    {
      name: 'client tests',
      holds: (file) => file.startsWith('client/') && isTestFile(file),
      mayImport: (target) => isFileUnder(target, 'client/') || isNode(target) || isNpm(target),
      mend: 'a test of the client sees the client alone; what crosses packages goes to tests/',
    },
    {
      name: 'client core',
      holds: (file) => clientCore.has(file),
      mayImport: (target) => isFileOf(target, 'client core'),
      mend: 'the core imports only the core (client/tsconfig.core.json); take what it needs as an argument or a port',
    },
    {
      name: 'client platform',
      holds: (file) => /^client\/src\/(?:web|expo|node)\//.test(file),
      mayImport: (target, _wanted, from) =>
        isFileOf(target, 'client core', 'client shell') ||
        isFileUnder(target, folderOf(from, 3)) ||
        (from.startsWith('client/src/node/') && isNode(target)) ||
        (from.startsWith('client/src/expo/') && isPackage(target, /^(?:expo|react-native)/)),
      mend: 'a platform imports the core and the shell, never another platform; what two need goes to the shell',
    },
    {
      name: 'client adapter',
      holds: (file) => /^client\/src\/[^/]+\//.test(file),
      mayImport: (target, _wanted, from) =>
        (target.kind === 'file' && target.path === clientFacade) ||
        isFileUnder(target, folderOf(from, 3)) ||
        isNpm(target),
      mend: `an adapter (react, axios ...) sees only the facade, ${clientFacade}: export there what it needs`,
    },
    {
      name: 'client shell',
      holds: (file) => file.startsWith('client/'),
      mayImport: (target) => isFileOf(target, 'client core', 'client shell'),
      mend: 'the shell imports the core and itself; what a platform provides comes through a port (client/src/core/ports.ts)',
    },
  ];
}

const serverAreas: readonly Area[] = [
  {
    name: 'server tests',
    holds: (file) => file.startsWith('server/') && isTestFile(file),
    mayImport: (target) => isFileUnder(target, 'server/') || isNode(target) || isNpm(target),
    mend: 'a test of the server sees the server alone; what crosses packages goes to tests/',
  },
  {
    name: 'server decision',
    holds: (file) => ['server/src/rotation/rotation.ts', 'server/src/kernel/policy.ts'].includes(file),
    mayImport: (target, wanted) =>
      isFileUnder(target, 'server/') &&
      (wanted.isTypeOnly || (target.kind === 'file' && target.path === 'server/src/kernel/policy.ts')),
    mend: 'the decision imports types and the policy alone; take what it needs as an argument',
  },
  {
    name: 'server',
    holds: (file) => file.startsWith('server/'),
    mayImport: (target) => isFileOf(target, 'server', 'server decision') || isNode(target) || isNpm(target),
    mend: 'the server never sees the client or its own tests; their contract is the JSON on the wire',
  },
];

const otherAreas: readonly Area[] = [
  {
    name: 'web app',
    holds: (file) => file.startsWith('apps/web/'),
    mayImport: (target) =>
      isFileUnder(target, 'apps/web/') ||
      isNpm(target) ||
      isPackage(target, clientPackage) ||
      // Configuration runs in Node.
      isNode(target),
    mend: "an app imports packages by their names ('holdfast', 'holdfast/web'), and a page never the server",
  },
  {
    name: 'demo API',
    holds: (file) => file.startsWith('apps/api/'),
    mayImport: (target) =>
      isFileUnder(target, 'apps/api/') ||
      // Its tests run on the same throw-away database as the server's.
      isFileUnder(target, 'server/src/testing/') ||
      isNpm(target) ||
      isNode(target) ||
      isPackage(target, /^@holdfast\/server$/),
    mend: "the demo's backend imports '@holdfast/server' by that name, and nothing of the client",
  },
  {
    name: 'iOS tests',
    holds: (file) => file.startsWith('apps/ios/tests/'),
    mayImport: (target) =>
      isFileUnder(target, 'apps/ios/') ||
      // The phone and the authenticator of the packages' own tests.
      (target.kind === 'file' && /^(?:client|server)\/src\/testing\//.test(target.path)) ||
      target.kind !== 'file',
    mend: 'tests of the app see the app, packages by their names, and from inside a package only its src/testing/',
  },
  {
    name: 'app',
    holds: (file) => file.startsWith('apps/'),
    mayImport: (target, _wanted, from) =>
      isFileUnder(target, folderOf(from, 2)) || isNpm(target) || isNode(target) || isPackage(target, clientPackage),
    mend: "an app imports packages by their names ('holdfast', 'holdfast/expo')",
  },
  {
    name: 'tests across packages',
    holds: (file) => file.startsWith('tests/'),
    mayImport: (target) =>
      target.kind !== 'file' || target.path.startsWith('tests/') || /^[^/]+\/src\/testing\//.test(target.path),
    mend: 'tests/ imports packages by their names, and from inside a package only its src/testing/',
  },
  {
    name: 'simulator and tools',
    holds: () => true,
    mayImport: () => true,
    mend: '',
  },
];

/**
 * Finds imports that the table forbids.
 *
 * @param clientCore the files of client/tsconfig.core.json, relative to the repository's root
 */
export function checkImports(files: readonly SourceFile[], clientCore: ReadonlySet<string>): readonly Finding[] {
  const table = [...clientAreas(clientCore), ...serverAreas, ...otherAreas];
  const areaOf = (file: string): Area | undefined => table.find((area) => area.holds(file));
  return files.flatMap((file) => {
    const area = areaOf(file.path);
    if (area === undefined) return [];
    return file.imports.flatMap((wanted) => {
      const target = resolve(file.path, wanted.specifier, (target) => areaOf(target)?.name ?? '');
      if (area.mayImport(target, wanted, file.path)) return [];
      const message = `${area.name} may not import '${wanted.specifier}': ${area.mend}`;
      return [{ path: file.path, line: wanted.line, message }];
    });
  });
}

function resolve(from: string, specifier: string, areaOf: (file: string) => string): Target {
  if (specifier.startsWith('.')) {
    const file = path.posix.join(path.posix.dirname(from), specifier);
    return { kind: 'file', path: file, area: areaOf(file) };
  }
  if (specifier.startsWith('node:')) return { kind: 'node' };
  const parts = specifier.split('/');
  return { kind: 'package', name: parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/') };
}
