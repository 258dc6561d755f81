import type { Observation } from 'holdfast';
import type { Tone } from '../design/theme.ts';
import { explainReauthentication } from '../session/wording.ts';

/** An observation in plain words; `plain` is a step on the way. */
export type Sentence = { readonly tone: Tone | 'plain'; readonly text: string };

type OfType<Type extends Observation['type']> = Extract<Observation, { type: Type }>;

const causes: Readonly<Record<OfType<'refresh.started'>['cause'], string>> = {
  restored: 'the stored access token is too old',
  proactive: 'the access token will expire soon',
  expired: 'the access token has expired',
  refused: 'the server refused the access token',
  extend: 'you asked for it',
  resource: 'a request needed a token for another audience',
};

const failures: Readonly<Record<OfType<'refresh.failed'>['cause'], string>> = {
  network: 'the server could not be reached',
  timeout: 'the server took too long to answer',
  'server-error': 'the server is in trouble',
  'rate-limited': 'the server asked to wait',
  'not-json': 'something else than the server answered',
  misconfigured: 'the server refused, without ending the session',
  'vault-unavailable': 'the keychain is locked',
  'answer-mismatch': 'the answer was for another session',
  'nonce-required': 'the server asked for another nonce',
};

const inSeconds = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`);

/** One request by its number, or several by how many they are. */
const requests = (caller: number, count: number): string => (count === 1 ? `Request ${caller}` : `${count} requests`);

/** Says what happened. `count`: to how many requests, one after the other. */
export function describeObservation(observation: Observation, count: number): Sentence {
  switch (observation.type) {
    case 'refresh.started':
      return { tone: 'wait', text: `Refresh ${observation.attempt} started: ${causes[observation.cause]}.` };
    case 'refresh.joined':
      return { tone: 'wait', text: `${requests(observation.caller, count)} joined refresh ${observation.attempt}.` };
    case 'refresh.locked':
      return {
        tone: 'plain',
        text: `Refresh ${observation.attempt} had its turn after ${inSeconds(observation.waitedMs)}.`,
      };
    case 'refresh.sent':
      return {
        tone: 'plain',
        text: `Refresh ${observation.attempt} was sent${observation.isUserActive ? ', as your activity' : ''}.`,
      };
    case 'refresh.adopted':
      return { tone: 'good', text: `Refresh ${observation.attempt} was not needed: it had been done elsewhere.` };
    case 'refresh.succeeded':
      return {
        tone: 'good',
        text: `Refresh ${observation.attempt} succeeded after ${inSeconds(observation.durationMs)}.`,
      };
    case 'refresh.failed':
      return {
        tone: 'wait',
        text: `Refresh ${observation.attempt} failed: ${failures[observation.cause]}. Next try in ${inSeconds(observation.retryInMs)}.`,
      };
    case 'refresh.rejected':
      return {
        tone: 'bad',
        text: `Refresh ${observation.attempt} was rejected. ${explainReauthentication(observation.reason)}`,
      };
    case 'request.parked':
      return { tone: 'wait', text: `${requests(observation.caller, count)} waited for an access token.` };
    case 'request.released':
      return { tone: 'good', text: `${requests(observation.caller, count)} went on.` };
    case 'request.failed':
      return { tone: 'bad', text: `${requests(observation.caller, count)} stopped waiting: ${observation.code}.` };
    case 'request.resent':
      return {
        tone: 'good',
        text: `${count === 1 ? 'A request was' : `${count} requests were`} sent again with access token ${observation.tokenNumber}.`,
      };
    default:
      return describeSession(observation);
  }
}

function describeSession(
  observation: Exclude<Observation, { type: `refresh.${string}` | `request.${string}` }>,
): Sentence {
  switch (observation.type) {
    case 'token.refused':
      return { tone: 'wait', text: `The server refused access token ${observation.tokenNumber} (401).` };
    case 'session.adopted':
      return {
        tone: 'plain',
        text: `The session was read from ${observation.from === 'storage' ? 'this phone' : 'elsewhere'}.`,
      };
    case 'session.expiring':
      return {
        tone: 'wait',
        text: `The session ends in ${Math.ceil(observation.inMs / 60_000)} min unless it is extended.`,
      };
    case 'reauthentication.required':
      return {
        tone: observation.reason === 'step-up' ? 'wait' : 'bad',
        text: `Asked you for your ${observation.stage}. What waits stays parked.`,
      };
    case 'reauthentication.failed':
      return {
        tone: 'wait',
        text: `The ${observation.stage} did not help: ${observation.why}.`,
      };
    case 'signed-in':
      return { tone: 'good', text: 'Signed in: a new session started.' };
    case 'signed-out':
      return { tone: 'plain', text: `Signed out (${observation.reason}).` };
    case 'vault.unavailable':
      return { tone: 'wait', text: 'The keychain did not answer; the session goes on without it.' };
  }
}
