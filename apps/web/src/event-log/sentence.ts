import type { Observation, RefreshCause } from 'holdfast';
import { explainReauthentication, type Tone } from '../session/wording.ts';

/** How a line is meant; `plain` for a step on the way. */
export type LineTone = Tone | 'plain';

/** An observation in plain words. */
export type Sentence = { readonly tone: LineTone; readonly text: string };

function because(cause: RefreshCause): string {
  switch (cause) {
    case 'restored':
      return 'the stored access token is too old';
    case 'proactive':
      return 'the access token will expire soon';
    case 'expired':
      return 'the access token has expired';
    case 'refused':
      return 'the server refused the access token';
    case 'extend':
      return 'you asked to extend the session';
    case 'resource':
      return 'a request needed a token for another audience';
  }
}

type RefreshFailure = Extract<Observation, { type: 'refresh.failed' }>;

function whyFailed(cause: RefreshFailure['cause']): string {
  switch (cause) {
    case 'network':
      return 'the server could not be reached';
    case 'timeout':
      return 'the server took too long to answer';
    case 'server-error':
      return 'the server is in trouble';
    case 'rate-limited':
      return 'the server asked to wait';
    case 'not-json':
      return 'something else than the server answered';
    case 'misconfigured':
      return 'the server refused, without ending the session';
    case 'vault-unavailable':
      return 'the browser’s storage did not answer';
    case 'answer-mismatch':
      return 'the answer was for another session';
    case 'nonce-required':
      return 'the server asked for another nonce';
  }
}

function inSeconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Numbers of requests, as a subject: `Request 7`, `Requests 7 to 26`, `3 requests`. */
export function nameRequests(callers: readonly number[]): string {
  const [first = 0] = callers;
  const last = callers.at(-1) ?? first;
  if (callers.length === 1) return `Request ${first}`;
  return last - first === callers.length - 1 ? `Requests ${first} to ${last}` : `${callers.length} requests`;
}

/** Says what happened. `callers`: the requests that it happened to, when several lines became one. */
export function describeObservation(observation: Observation, callers: readonly number[]): Sentence {
  switch (observation.type) {
    case 'refresh.started':
      return {
        tone: 'wait',
        text: `Refresh ${observation.attempt} started: ${because(observation.cause)}.`,
      };
    case 'refresh.joined':
      return { tone: 'wait', text: `${nameRequests(callers)} joined refresh ${observation.attempt} and waited.` };
    case 'refresh.locked':
      return { tone: 'plain', text: `Refresh ${observation.attempt} waited for the lock between tabs.` };
    case 'refresh.sent': {
      const activity = observation.isUserActive ? ' It counts as your activity.' : '';
      return { tone: 'plain', text: `Refresh ${observation.attempt} was sent to the server.${activity}` };
    }
    case 'refresh.adopted':
      return { tone: 'good', text: `Refresh ${observation.attempt} was not needed: another tab had done it.` };
    case 'refresh.succeeded':
      return {
        tone: 'good',
        text: `Refresh ${observation.attempt} succeeded after ${inSeconds(observation.durationMs)}.`,
      };
    case 'refresh.failed':
      return {
        tone: 'wait',
        text: `Refresh ${observation.attempt} failed: ${whyFailed(observation.cause)}. Next try in ${inSeconds(observation.retryInMs)}; the session stays.`,
      };
    case 'refresh.rejected':
      return {
        tone: 'bad',
        text: `Refresh ${observation.attempt} was rejected. ${explainReauthentication(observation.reason)}`,
      };
    case 'request.parked':
      return { tone: 'wait', text: `${nameRequests(callers)} waited for an access token.` };
    case 'request.released':
      return { tone: 'good', text: `${nameRequests(callers)} went on with the new access token.` };
    case 'request.failed':
      return { tone: 'bad', text: `${nameRequests(callers)} stopped waiting: ${observation.code}.` };
    case 'token.refused':
      return { tone: 'wait', text: `The server refused access token ${observation.tokenNumber} (401).` };
    case 'request.resent':
      return { tone: 'good', text: `A request was sent again with access token ${observation.tokenNumber}.` };
    default:
      return describeSessionChange(observation);
  }
}

type SessionChange = Exclude<Observation, { type: `refresh.${string}` | `request.${string}` | 'token.refused' }>;

function describeSessionChange(observation: SessionChange): Sentence {
  switch (observation.type) {
    case 'session.adopted':
      return observation.from === 'storage'
        ? { tone: 'plain', text: 'The session was read from this browser’s storage.' }
        : { tone: 'good', text: 'Another tab changed the session; this one took it over without a request.' };
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
    case 'signed-in':
      return { tone: 'good', text: 'Signed in: a new session started.' };
    case 'signed-out':
      return { tone: 'plain', text: `Signed out (${observation.reason}).` };
    case 'vault.unavailable':
      return { tone: 'wait', text: 'This browser’s storage did not answer; the session goes on without it.' };
    case 'reauthentication.failed':
      return { tone: 'wait', text: `Signing in by ${observation.stage} did not help: ${observation.why}.` };
  }
}
