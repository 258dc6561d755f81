#!/usr/bin/env node
/**
 * The `holdfast` command. Exit code: 0 done, 1 it failed, 2 it was called wrongly.
 *
 * @module
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Holdfast } from '../holdfast.ts';
import { HoldfastServerError } from '../kernel/errors.ts';
import { sqlStateOf } from '../postgres/connections.ts';
import { listKeys, revokeSessions, rotateKeys, runMigrations, withHoldfast } from './administer.ts';
import { FIELDS, readConfiguration, type Configuration } from './configuration.ts';
import { diagnose } from './doctor.ts';
import { fail, formatFindings } from './finding.ts';
import { serve } from './serve.ts';
import { createUser, deleteUser, disableUser, enableUser, listUsers, setPassword } from './users.ts';

const OPTIONS = {
  config: { type: 'string' },
  help: { type: 'boolean' },
  compromised: { type: 'boolean' },
  username: { type: 'string' },
  name: { type: 'string' },
  sid: { type: 'string' },
  user: { type: 'string' },
} as const;

type Arguments = ReturnType<typeof parse>['values'];

type Command = {
  readonly usage: string;
  readonly about: string;
  /** @returns the exit code */
  readonly run: (given: Arguments) => Promise<number>;
};

class UsageError extends Error {
  override readonly name = 'UsageError';
}

const print = (lines: readonly string[]): number => {
  for (const line of lines) console.log(line);
  return 0;
};
const configured = (given: Arguments): Configuration => readConfiguration(process.env, given.config);

const COMMANDS = {
  serve: {
    usage: 'serve',
    about: 'run the server until SIGTERM or SIGINT, then drain',
    run: (given) => serve(configured(given)),
  },
  migrate: {
    usage: 'migrate',
    about: "bring the database's schema up to date",
    run: async (given) => print(await runMigrations(configured(given))),
  },
  'keys list': {
    usage: 'keys list',
    about: 'the published signing keys and what each does',
    run: async (given) => print(await listKeys(configured(given))),
  },
  'keys rotate': {
    usage: 'keys rotate [--compromised]',
    about: 'publish the next key now; with --compromised replace every key at once',
    run: async (given) => print(await rotateKeys(configured(given), given.compromised ?? false)),
  },
  'users create': {
    usage: 'users create --username <username> [--name <name>]',
    about: 'create a user; the password is the first line of standard input',
    run: async (given) => {
      const username = need(given.username, 'username');
      const user = { username, name: given.name ?? username };
      return print(await withHoldfast(configured(given), (holdfast) => createUser(holdfast, user, process.stdin)));
    },
  },
  'users list': {
    usage: 'users list',
    about: 'every user: id, whether disabled, username, name',
    run: async (given) => print(await withHoldfast(configured(given), listUsers)),
  },
  'users set-password': {
    usage: 'users set-password --user <sub or username>',
    about: 'set a password, the first line of standard input; every session of the user ends',
    run: (given) => changeUser(given, (holdfast, named) => setPassword(holdfast, named, process.stdin)),
  },
  'users disable': {
    usage: 'users disable --user <sub or username>',
    about: 'keep a user from signing in, and end every session',
    run: (given) => changeUser(given, disableUser),
  },
  'users enable': {
    usage: 'users enable --user <sub or username>',
    about: 'let a disabled user sign in again',
    run: (given) => changeUser(given, enableUser),
  },
  'users delete': {
    usage: 'users delete --user <sub or username>',
    about: 'forget a user with every credential, and end every session',
    run: (given) => changeUser(given, deleteUser),
  },
  'sessions revoke': {
    usage: 'sessions revoke --sid <sid> | --user <sub or username>',
    about: 'end one session, or all of a user',
    run: async (given) => {
      const target = given.sid === undefined ? { user: need(given.user, 'sid or --user') } : { sid: given.sid };
      return print(await revokeSessions(configured(given), target));
    },
  },
  doctor: {
    usage: 'doctor',
    about: 'check what the server depends on, line by line, with the mend for what is wrong',
    run: doctor,
  },
} satisfies Readonly<Record<string, Command>>;

/** Commands by name. A map, because an object also has inherited names such as `constructor`. */
const COMMAND_OF: ReadonlyMap<string, Command> = new Map(Object.entries(COMMANDS));

async function changeUser(
  given: Arguments,
  change: (holdfast: Holdfast, named: string) => Promise<readonly string[]>,
): Promise<number> {
  const named = need(given.user, 'user');
  return print(await withHoldfast(configured(given), (holdfast) => change(holdfast, named)));
}

async function doctor(given: Arguments): Promise<number> {
  let configuration: Configuration;
  try {
    configuration = configured(given);
  } catch (error) {
    if (!(error instanceof HoldfastServerError)) throw error;
    print(
      formatFindings([fail('configuration', error.message, 'set what is named; holdfast --help lists every field')]),
    );
    return 1;
  }
  const findings = await diagnose(configuration);
  print(formatFindings(findings));
  return findings.some(({ level }) => level === 'fail') ? 1 : 0;
}

function need(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new UsageError(`--${name} is missing`);
  return value;
}

function help(): readonly string[] {
  const commands = Object.values(COMMANDS);
  return [
    'Usage: holdfast <command> [--config <file>]',
    '',
    ...commands.flatMap(({ usage, about }) => [`  ${usage}`, `      ${about}`]),
    '',
    'Configuration: a JSON file (--config, or HOLDFAST_CONFIG) with these fields; variables count over it.',
    '',
    ...FIELDS.flatMap(({ name, variables, about, isSecret }) => [
      `  ${name.padEnd(16)} ${variables.join(', ')}`,
      `      ${about}${isSecret === true ? ' (secret)' : ''}`,
    ]),
  ];
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
}

async function main(args: readonly string[]): Promise<number> {
  let given: ReturnType<typeof parse>;
  try {
    given = parse(args);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'unknown option', { cause: error });
  }
  if (given.values.help === true) return print(help());
  const name = given.positionals.join(' ');
  const command = COMMAND_OF.get(name);
  if (command === undefined)
    throw new UsageError(name === '' ? 'a command is missing' : `there is no command "${name}"`);
  return command.run(given.values);
}

/** Explains a failure without secrets. For a bug it prints only the error's class and stack frames. */
function explain(error: unknown): string {
  if (error instanceof HoldfastServerError || error instanceof TypeError) {
    const sqlState = sqlStateOf(error);
    return sqlState === null ? error.message : `${error.message} (SQLSTATE ${sqlState})`;
  }
  if (!(error instanceof Error)) return 'failed unexpectedly';
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return 'the port is taken: set another one, or stop what listens there';
  if (code === 'EACCES') return 'this user may not listen on that port';
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return [`failed unexpectedly: ${error.name} ${code ?? ''}`, ...frames].join('\n');
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError;
  console.error(`holdfast: ${isUsage ? error.message : explain(error)}`);
  if (isUsage) console.error('holdfast --help lists the commands.');
  process.exitCode = isUsage ? 2 : 1;
}
