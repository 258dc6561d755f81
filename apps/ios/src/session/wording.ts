import { HoldfastError, type ReauthenticationReason, type SignedOutReason } from 'holdfast';
import type { SignedInSession } from 'holdfast/react';
import type { Tone } from '../design/theme.ts';
import type { Reach } from './silence.ts';
import { formatMoment } from './time.ts';

/** The session in two lines. */
export type SessionSummary = { readonly tone: Tone; readonly label: string; readonly detail: string };

/** Says how the session is. A token that lives says nothing about the server: `reach` does. */
export function summarizeSession(session: SignedInSession, reach: Reach): SessionSummary {
  if (session.status === 'reauthentication-required')
    return { tone: 'bad', label: 'Sign-in needed', detail: explainReauthentication(session.reason) };
  if (session.isDoubtful)
    return {
      tone: 'bad',
      label: 'In doubt',
      detail: `The server does not renew this session (${session.refusal}). Sign out and in again.`,
    };
  if (reach === 'offline') return { tone: 'wait', label: 'Offline', detail: 'There is no network. The session stays.' };
  if (session.freshness === 'offline')
    return { tone: 'wait', label: 'Server out of reach', detail: 'The session stays. Holdfast keeps trying.' };
  if (reach === 'silent')
    return {
      tone: 'wait',
      label: 'Server out of reach',
      detail: 'It did not answer the last request. The session stays.',
    };
  if (session.isRefreshing)
    return { tone: 'wait', label: 'Refreshing', detail: 'A new access token has been asked for.' };
  if (session.isExpiring) return { tone: 'wait', label: 'Ends soon', detail: 'Extend the session to stay signed in.' };
  if (session.freshness === 'restored')
    return { tone: 'good', label: 'Restored', detail: 'Read from this phone. The next refresh asks the server.' };
  return { tone: 'good', label: 'Active', detail: 'The server has confirmed this session.' };
}

/** The session when the user asked to extend it. */
export type AskedExtension = { readonly tokenNumber: number; readonly endsAtMs: number };

/** `true` once the server has answered the extension. */
export const isExtensionAnswered = (asked: AskedExtension, session: SignedInSession): boolean =>
  session.status === 'active' && !session.isRefreshing && session.tokenNumber > asked.tokenNumber;

/** Says what came of an extension. */
export function reportExtension(asked: AskedExtension, session: SignedInSession): string {
  if (session.status !== 'active') return '';
  const { sessionExpiresAtMs: endsAtMs, refusal, freshness } = session;
  if (isExtensionAnswered(asked, session)) {
    if (endsAtMs === null) return 'Extended.';
    const end = formatMoment(endsAtMs);
    return endsAtMs > asked.endsAtMs
      ? `Extended: the session now lasts until ${end}, if unused.`
      : `Not extended: the session still ends at ${end}.`;
  }
  if (refusal !== null) return `Not extended: the server refuses (${refusal}). It is tried again.`;
  if (freshness === 'offline') return 'Not extended yet: the server is out of reach. It is tried again.';
  return 'The server is asked …';
}

/** Says what came of “Renew now”. */
export function reportRenewal(before: number, session: SignedInSession): string {
  if (session.status !== 'active') return '';
  if (session.tokenNumber > before) return 'Renewed: a new access token is here.';
  if (session.refusal !== null) return `Not renewed: the server refuses (${session.refusal}). It is tried again.`;
  if (session.freshness === 'offline') return 'Not renewed yet: the server is out of reach. It is tried again.';
  return 'The server is asked …';
}

/** Why the user has to authenticate again, in a sentence. */
export function explainReauthentication(reason: ReauthenticationReason): string {
  switch (reason) {
    case 'expired':
      return 'Your session has reached its end.';
    case 'revoked':
      return 'Your session was ended on the server.';
    case 'reuse-detected':
      return 'A copy of your session was used elsewhere, so the server has ended it.';
    case 'storage-lost':
      return 'This phone has lost what it had stored of your session.';
  }
}

/** The reason for the sign-out, in plain words; `null` if no user was signed in before. */
export function explainSignedOut(
  reason: SignedOutReason,
): { readonly title: string; readonly text: string; readonly tone: Tone } | null {
  switch (reason) {
    case 'never-signed-in':
      return null;
    case 'user':
      return { tone: 'good', title: 'You have signed out', text: 'Nothing of your session is left on this phone.' };
    case 'expired':
      return { tone: 'wait', title: 'Your session has ended', text: 'It had reached its end. Sign in to go on.' };
    case 'revoked':
      return { tone: 'wait', title: 'Your session was ended', text: 'It was ended on the server. Sign in to go on.' };
    case 'reuse-detected':
      return {
        tone: 'bad',
        title: 'Your session was ended for your safety',
        text: 'A copy of it was used somewhere else. Sign in to start a new one; your other devices are not affected.',
      };
    case 'storage-lost':
      return {
        tone: 'wait',
        title: 'Your session could not be read',
        text: 'This phone cannot read what it had stored of it. Sign in to go on.',
      };
    case 'reauthentication-failed':
      return {
        tone: 'wait',
        title: 'You are signed out',
        text: 'Your session had ended and you chose not to sign in again. Requests that waited were dropped.',
      };
  }
}

/** Why a request failed, in a sentence. */
export function explainRequestFailure(error: unknown): string {
  if (!(error instanceof HoldfastError)) return 'Something went wrong in this app.';
  switch (error.code) {
    case 'server-unavailable':
      return 'The server did not answer.';
    case 'http-status':
      return `The server answered ${error.response?.status ?? 'with an error'}.`;
    case 'deadline-exceeded':
      return 'It waited for the session for too long.';
    case 'queue-full':
      return 'Too many requests are waiting already.';
    case 'user-changed':
      return 'Somebody else has signed in meanwhile.';
    case 'signed-out':
    case 'disposed':
    case 'server-rendering':
      return 'Nobody is signed in.';
    case 'storage-unavailable':
      return 'The session could not be read from this phone.';
    case 'step-up-declined':
      return 'It needs you to authenticate again, and you declined.';
    case 'sign-in-rejected':
    case 'misconfigured':
    case 'protocol':
      return 'The server gave an answer that this app does not understand.';
  }
}
