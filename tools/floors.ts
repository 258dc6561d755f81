// The house: the folder is the layer. A file imports files of its own room and of rooms on lower floors, types included.
import path from 'node:path';
import { isTestFile, targetOf, type Finding, type Import, type SourceFile } from './source-file.ts';

/** A folder of a package with the folders in it, or one file. */
export type Room = {
  /** From the repository's root. The longest path that fits a file is its room. */
  readonly path: string;
  /** The room has only the files of its folder: each folder in it is a room of its own. Default: false. */
  readonly isFlat?: boolean;
  readonly floor: number;
  /** The rooms on lower floors that it may import. Default: all. */
  readonly sees?: readonly string[];
  /** It may import modules of Node. Default: false. */
  readonly hasNode?: boolean;
  /** Packages that it may import. Default: none. */
  readonly packages?: RegExp;
};

const ANY_PACKAGE = /^(?!holdfast$|@holdfast\/)/;

/** Adapters see the public API and nothing behind it. */
const adapter = (folder: string, packages = ANY_PACKAGE): Room => ({
  path: `client/src/${folder}`,
  floor: 6,
  sees: ['client/src/index.ts'],
  packages,
});

const CLIENT: readonly Room[] = [
  { path: 'client/src/core', floor: 0 },
  { path: 'client/src/runtime', floor: 1 },
  { path: 'client/src', isFlat: true, floor: 2 },
  { path: 'client/src/optional', floor: 3 },
  { path: 'client/src/platform', floor: 3 },
  { path: 'client/src/web', floor: 4 },
  { path: 'client/src/node', floor: 4, hasNode: true },
  { path: 'client/src/expo', floor: 4, packages: /^(?:expo|react-native)/ },
  { path: 'client/src/index.ts', floor: 5 },
  adapter('react'),
  adapter('axios'),
  adapter('ky'),
  adapter('timeline', /^$/),
  { path: 'client/src/testing', floor: 7, hasNode: true, packages: ANY_PACKAGE },
];

const server = (folder: string, floor: number, sees?: readonly string[]): Room => ({
  path: `server/src/${folder}`,
  floor,
  ...(sees && { sees: sees.map((room) => `server/src/${room}`) }),
  hasNode: true,
  packages: ANY_PACKAGE,
});

const SERVER: readonly Room[] = [
  server('kernel', 0),
  // The decision is pure.
  { path: 'server/src/rotation', floor: 1 },
  server('dpop', 1),
  server('registrations', 1),
  server('storage', 2),
  server('keys', 3, ['kernel', 'storage']),
  server('tokens', 4, ['kernel', 'rotation', 'dpop', 'registrations', 'storage', 'keys']),
  server('sessions', 5, ['kernel', 'rotation', 'dpop', 'registrations', 'storage', 'keys', 'tokens']),
  server('audit', 5, ['kernel', 'storage']),
  server('users', 6, ['kernel', 'dpop', 'registrations', 'storage', 'sessions']),
  server('resource', 6, ['kernel', 'dpop', 'registrations', 'tokens']),
  server('operations', 7),
  server('http', 8),
  server('http/grants', 9),
  server('http/endpoints', 10),
  server('http/doors', 11),
  // On this floor only the parts that assemble a server can see it: to all others the store is a port.
  server('postgres', 11, ['kernel', 'storage']),
  { path: 'server/src', isFlat: true, floor: 12, hasNode: true, packages: ANY_PACKAGE },
  server('cli', 13),
  server('testing', 14),
];

/** The simulator stands on both packages: its floors are above all of theirs. */
const SIM_GROUND = 20;

const sim = (folder: string, floor: number, hasNode = false): Room => ({
  path: `sim/src/${folder}`,
  floor: SIM_GROUND + floor,
  hasNode,
});

const SIM: readonly Room[] = [
  sim('sandbox', 0, true),
  sim('rules', 0),
  sim('mutants', 0),
  sim('checkers', 1),
  sim('world', 2, true),
  sim('faults', 3),
  sim('explore', 3, true),
  { path: 'sim/src', isFlat: true, floor: SIM_GROUND + 4, hasNode: true },
  sim('runner', 5, true),
];

/** Every room of the packages that have floors, from the ground up. */
export const FLOORS: readonly Room[] = [...CLIENT, ...SERVER, ...SIM];

const isIn = (file: string, { path: folder, isFlat }: Room): boolean =>
  file === folder || (isFlat ? path.posix.dirname(file) === folder : file.startsWith(`${folder}/`));

const roomOf = (file: string, rooms: readonly Room[]): Room | undefined =>
  rooms.filter((room) => isIn(file, room)).toSorted((a, b) => b.path.length - a.path.length)[0];

const MEND = 'a file imports its own folder and lower floors: move it, or take what it needs as an argument or a port';

/** Finds imports that go up, or sideways to another room of the same floor. Tests may import everything of their package. */
export function checkFloors(files: readonly SourceFile[], rooms: readonly Room[] = FLOORS): readonly Finding[] {
  return files.flatMap((file) => {
    const isOfHouse = rooms.some((room) => room.isFlat && file.path.startsWith(`${room.path}/`));
    if (!isOfHouse || isTestFile(file.path)) return [];
    const room = roomOf(file.path, rooms);
    if (!room)
      return [{ path: file.path, line: 1, message: 'a folder without a floor: give it one in tools/floors.ts' }];
    return file.imports
      .filter((wanted) => !mayImport(file.path, room, wanted, rooms))
      .map(({ specifier, line }) => {
        const message = `${room.path} (floor ${room.floor}) may not import '${specifier}': ${MEND}`;
        return { path: file.path, line, message };
      });
  });
}

function mayImport(from: string, room: Room, { specifier }: Import, rooms: readonly Room[]): boolean {
  const target = targetOf(from, specifier);
  if (target.kind === 'node') return room.hasNode === true;
  if (target.kind === 'package') return room.packages?.test(target.name) === true;
  const other = roomOf(target.path, rooms);
  if (other === room) return true;
  return other !== undefined && other.floor < room.floor && (room.sees?.includes(other.path) ?? true);
}

/** Finds circles of imports, types included: none of their files can be understood, or moved, without the others. */
export function checkCircles(files: readonly SourceFile[]): readonly Finding[] {
  const importsOf = new Map(
    files.map(({ path: from, imports }) => [
      from,
      imports.flatMap(({ specifier }) => {
        const target = targetOf(from, specifier);
        return target.kind === 'file' ? target.path : [];
      }),
    ]),
  );
  const isDone = new Set<string>();
  const findings: Finding[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) {
      const circle = [...trail.slice(start), file].map((each) => path.posix.basename(each)).join(' -> ');
      findings.push({ path: file, line: 1, message: `a circle of imports: ${circle}` });
    } else if (!isDone.has(file)) {
      for (const next of importsOf.get(file) ?? []) visit(next, [...trail, file]);
      isDone.add(file);
    }
  };
  for (const file of importsOf.keys()) visit(file, []);
  return findings;
}
