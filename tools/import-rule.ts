// Apps and tests import packages by their names. The first row that fits a file holds. Inside a package: floors.ts.
import { isTestFile, targetOf, type Finding, type SourceFile, type Target } from './source-file.ts';

/** A row of the table. */
type Area = {
  readonly name: string;
  readonly holds: (file: string) => boolean;
  readonly mayImport: (target: Target, from: string) => boolean;
  /** Advice for the message. */
  readonly mend: string;
};

/** Packages of this repository; all others come from npm. */
const ownPackage = /^(?:holdfast|@holdfast\/.+)$/;
const clientPackage = /^holdfast$/;

const isNpm = (target: Target): boolean => target.kind === 'package' && !ownPackage.test(target.name);
const isNode = (target: Target): boolean => target.kind === 'node';
const isPackage = (target: Target, name: RegExp): boolean => target.kind === 'package' && name.test(target.name);
const isFileUnder = (target: Target, folder: string): boolean =>
  target.kind === 'file' && target.path.startsWith(folder);
const folderOf = (file: string, depth: number): string => `${file.split('/').slice(0, depth).join('/')}/`;

const AREAS: readonly Area[] = [
  {
    name: 'client tests',
    holds: (file) => file.startsWith('client/') && isTestFile(file),
    mayImport: (target) => isFileUnder(target, 'client/') || isNode(target) || isNpm(target),
    mend: 'a test of the client sees the client alone; what crosses packages goes to tests/',
  },
  {
    name: 'server tests',
    holds: (file) => file.startsWith('server/') && isTestFile(file),
    mayImport: (target) => isFileUnder(target, 'server/') || isNode(target) || isNpm(target),
    mend: 'a test of the server sees the server alone; what crosses packages goes to tests/',
  },
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
    mayImport: (target, from) =>
      isFileUnder(target, folderOf(from, 2)) || isNpm(target) || isNode(target) || isPackage(target, clientPackage),
    mend: "an app imports packages by their names ('holdfast', 'holdfast/expo')",
  },
  {
    name: 'example',
    holds: (file) => file.startsWith('examples/'),
    mayImport: (target) =>
      isFileUnder(target, 'examples/') ||
      isNpm(target) ||
      isNode(target) ||
      isPackage(target, /^(?:holdfast|@holdfast\/server)$/),
    mend: 'a user copies an example: it imports packages by their names',
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

/** Finds imports that the table forbids. */
export function checkImports(files: readonly SourceFile[]): readonly Finding[] {
  return files.flatMap((file) => {
    const area = AREAS.find(({ holds }) => holds(file.path));
    if (area === undefined) return [];
    return file.imports.flatMap((wanted) => {
      if (area.mayImport(targetOf(file.path, wanted.specifier), file.path)) return [];
      const message = `${area.name} may not import '${wanted.specifier}': ${area.mend}`;
      return [{ path: file.path, line: wanted.line, message }];
    });
  });
}
