import { readFileSync } from 'node:fs';
import type { HoldfastOptions } from '../holdfast.ts';
import { HoldfastServerError } from '../kernel/errors.ts';

/** The configuration of `holdfast serve`. */
export type Configuration = {
  readonly options: Omit<HoldfastOptions, 'logger' | 'onEvent'>;
  readonly host: string;
  readonly port: number;
  readonly logLevel: LogLevel;
  /** Seconds that `/readyz` answers 503 before connections are refused, so that load balancers notice. */
  readonly retireSeconds: number;
  /** Seconds that requests under way may take after that. */
  readonly drainSeconds: number;
};

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

export type Environment = Readonly<Record<string, string | undefined>>;

type Kind = 'text' | 'number' | 'json';

/** A field of the file, and the variables that override it. */
type Field = {
  readonly name: string;
  /** The first variable that is set counts. */
  readonly variables: readonly string[];
  readonly kind: Kind;
  /** True if the value must never be printed. */
  readonly isSecret?: true;
  readonly about: string;
};

/** Every field of the configuration; `holdfast --help` prints it. */
export const FIELDS: readonly Field[] = [
  {
    name: 'issuer',
    variables: ['HOLDFAST_ISSUER'],
    kind: 'text',
    about: 'origin that clients reach, https://id.example',
  },
  {
    name: 'databaseUrl',
    variables: ['HOLDFAST_DATABASE_URL', 'DATABASE_URL'],
    kind: 'text',
    isSecret: true,
    about: 'postgres://user:password@host/name',
  },
  {
    name: 'secret',
    variables: ['HOLDFAST_SECRET'],
    kind: 'text',
    isSecret: true,
    about: 'master secret, 32 bytes or more, the same on every node',
  },
  { name: 'secretFile', variables: ['HOLDFAST_SECRET_FILE'], kind: 'text', about: 'file that holds it instead' },
  {
    name: 'acceptedSecrets',
    variables: ['HOLDFAST_ACCEPTED_SECRETS'],
    kind: 'json',
    isSecret: true,
    about: 'further secrets whose tokens are accepted, JSON array',
  },
  {
    name: 'retiredSecrets',
    variables: ['HOLDFAST_RETIRED_SECRETS'],
    kind: 'json',
    isSecret: true,
    about: 'secrets that were given up, JSON array',
  },
  {
    name: 'clients',
    variables: ['HOLDFAST_CLIENTS'],
    kind: 'json',
    about: 'JSON array of { clientId, delivery: "cookie" | "body", scopes, audiences?, origins? }',
  },
  {
    name: 'resourceServers',
    variables: ['HOLDFAST_RESOURCE_SERVERS'],
    kind: 'json',
    isSecret: true,
    about: 'who may introspect and follow revocations, JSON array of { id, secret, audiences? }',
  },
  {
    name: 'webhooks',
    variables: ['HOLDFAST_WEBHOOKS'],
    kind: 'json',
    isSecret: true,
    about: 'who is told of events, JSON array of { id, url, secret, previousSecret?, events? }',
  },
  { name: 'policy', variables: ['HOLDFAST_POLICY'], kind: 'json', about: 'durations and limits, JSON object' },
  {
    name: 'audience',
    variables: ['HOLDFAST_AUDIENCE'],
    kind: 'text',
    about: 'aud of access tokens; default: the issuer, which no API of another process may share',
  },
  {
    name: 'metricsToken',
    variables: ['HOLDFAST_METRICS_TOKEN'],
    kind: 'text',
    isSecret: true,
    about: 'bearer token for /metrics; default: this host only',
  },
  {
    name: 'trustedProxies',
    variables: ['HOLDFAST_TRUSTED_PROXIES'],
    kind: 'number',
    about: 'proxies in front that append to X-Forwarded-For; default 0',
  },
  { name: 'host', variables: ['HOLDFAST_HOST'], kind: 'text', about: 'address to listen on; default 127.0.0.1' },
  { name: 'port', variables: ['HOLDFAST_PORT', 'PORT'], kind: 'number', about: 'port to listen on; default 4600' },
  { name: 'logLevel', variables: ['HOLDFAST_LOG_LEVEL'], kind: 'text', about: 'trace ... fatal, silent; default info' },
  {
    name: 'retireSeconds',
    variables: ['HOLDFAST_RETIRE_SECONDS'],
    kind: 'number',
    about: '/readyz says 503 this long before the server stops; default 0',
  },
  {
    name: 'drainSeconds',
    variables: ['HOLDFAST_DRAIN_SECONDS'],
    kind: 'number',
    about: 'requests under way may take this long at the end; default 20',
  },
];

/** Fields that are passed on unchanged as the {@link HoldfastOptions} of the same name. */
const OPTIONS = [
  'issuer',
  'databaseUrl',
  'acceptedSecrets',
  'retiredSecrets',
  'clients',
  'resourceServers',
  'webhooks',
  'policy',
  'audience',
  'metricsToken',
  'trustedProxies',
];
const REQUIRED = ['issuer', 'databaseUrl', 'clients'];

/**
 * Reads the configuration: environment variables override the fields of an optional JSON file. {@link FIELDS} lists the
 * fields. `createHoldfast` checks clients, policy and secrets further.
 *
 * @param file path of the file; default: the variable `HOLDFAST_CONFIG`
 * @throws HoldfastServerError `invalid-configuration`: names every wrong field and no secret
 */
export function readConfiguration(environment: Environment, file = environment['HOLDFAST_CONFIG']): Configuration {
  const problems: string[] = [];
  const values = { ...readFile(file, problems), ...readVariables(environment, problems) };
  const secret = readSecret(values, problems);
  for (const name of REQUIRED) {
    if (values[name] === undefined) problems.push(`${name} is missing: set it in the file, or ${variablesOf(name)}`);
  }
  const number = (name: string, fallback: number, most: number): number => {
    const value = values[name] ?? fallback;
    if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most) return value as number;
    problems.push(`${name} is a whole number from 0 to ${most}`);
    return fallback;
  };
  const logLevel = values['logLevel'] ?? 'info';
  if (!isLogLevel(logLevel)) problems.push(`logLevel is one of ${LOG_LEVELS.join(', ')}`);
  const configuration = {
    host: (values['host'] as string | undefined) ?? '127.0.0.1',
    port: number('port', 4_600, 65_535),
    logLevel: logLevel as LogLevel,
    retireSeconds: number('retireSeconds', 0, 600),
    drainSeconds: number('drainSeconds', 20, 600),
  };
  if (problems.length > 0) throw invalid(problems);
  const options = Object.fromEntries(
    OPTIONS.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])),
  );
  // Each field was checked above or will be checked by `createHoldfast`, which also names a wrong one.
  return { ...configuration, options: { ...options, secret } as unknown as Configuration['options'] };
}

type Values = Readonly<Record<string, unknown>>;

function readFile(file: string | undefined, problems: string[]): Values {
  if (file === undefined || file === '') return {};
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    problems.push(`the file ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
    return {};
  }
  const parsed = parseJson(text);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    problems.push(`the file ${file} is no JSON object`);
    return {};
  }
  for (const [name, value] of Object.entries(parsed)) {
    const field = FIELDS.find((known) => known.name === name);
    if (field === undefined)
      problems.push(`${name} is no field; there are ${FIELDS.map((known) => known.name).join(', ')}`);
    else checkKind(field, value, problems);
  }
  return parsed as Values;
}

function checkKind({ name, kind }: Field, value: unknown, problems: string[]): void {
  if (kind === 'text' && typeof value !== 'string') problems.push(`${name} is a string`);
  if (kind === 'number' && typeof value !== 'number') problems.push(`${name} is a number`);
  if (kind === 'json' && (typeof value !== 'object' || value === null))
    problems.push(`${name} is an array or an object`);
}

function readVariables(environment: Environment, problems: string[]): Values {
  const values: Record<string, unknown> = {};
  for (const { name, variables, kind } of FIELDS) {
    const variable = variables.find((candidate) => (environment[candidate] ?? '') !== '');
    const text = variable === undefined ? undefined : environment[variable];
    if (text === undefined) continue;
    if (kind === 'text') values[name] = text;
    else if (kind === 'number') values[name] = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    else {
      const parsed = parseJson(text);
      // Never print the text itself: it may hold secrets.
      if (typeof parsed !== 'object' || parsed === null)
        problems.push(`${name} (${variable}) is no JSON array or object`);
      else values[name] = parsed;
    }
  }
  return values;
}

function readSecret(values: Values, problems: string[]): string {
  const { secret, secretFile } = values;
  if (typeof secret === 'string') return secret;
  if (typeof secretFile !== 'string') {
    problems.push(`secret is missing: set ${variablesOf('secretFile')} or ${variablesOf('secret')}`);
    return '';
  }
  try {
    return readFileSync(secretFile, 'utf8').trim();
  } catch (error) {
    problems.push(`secretFile cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
    return '';
  }
}

function variablesOf(name: string): string {
  return FIELDS.find((field) => field.name === name)?.variables.join(' or ') ?? name;
}

function isLogLevel(value: unknown): value is LogLevel {
  return LOG_LEVELS.some((level) => level === value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(problems: readonly string[]): HoldfastServerError {
  return new HoldfastServerError(
    'invalid-configuration',
    `the configuration is wrong:\n${problems.map((one) => `  - ${one}`).join('\n')}`,
  );
}
