import type { Observation, RefreshCause } from '../index.ts';

// The words of the panel.

/** Finds an own entry: a word from another tab or a file may be `constructor`, which every object inherits. */
const find = (words: Readonly<Record<string, string>>, word: string): string | undefined =>
  Object.hasOwn(words, word) ? words[word] : undefined;

type Failure = Extract<Observation, { readonly type: 'refresh.failed' }>['cause'];

/** Formats a duration: `84 ms`, `1.2 s`, `4 min`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.round(minutes / 1_440)} d`;
}

/** Formats a count with its noun: `1 request`, `20 requests`. */
export const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

const causes: Readonly<Record<RefreshCause, string>> = {
  restored: 'the stored access token was too old',
  proactive: 'the access token was about to expire',
  expired: 'the access token had expired',
  refused: 'the API had refused the access token',
  extend: 'the user asked for it',
  resource: 'a request needed a token for another audience',
};

/** Tells why a refresh began. Returns a word that this panel does not know as it is. */
export const tellCause = (cause: RefreshCause): string => find(causes, cause) ?? cause;

const failures: Readonly<Record<Failure, string>> = {
  network: 'the server could not be reached',
  timeout: 'the server took too long',
  'server-error': 'the server was in trouble (5xx)',
  'rate-limited': 'the server asked to wait (429)',
  'not-json': 'something else than the server answered',
  misconfigured: 'the server refused, without ending the session',
  'vault-unavailable': 'the storage did not answer',
  'answer-mismatch': 'the answer was for another session',
  'nonce-required': 'the server asked for another nonce',
};

/** Tells why a refresh failed. */
export const tellFailure = (cause: Failure): string => find(failures, cause) ?? cause;

const moments: Readonly<Record<string, string>> = {
  storage: 'The session was read from this browser’s storage.',
  'another-tab': 'Another tab had written the session; this one took it over without a request.',
};

/** Tells the source of an adopted session. */
export const tellAdoption = (from: string): string => find(moments, from) ?? `The session was taken over (${from}).`;
