import { HoldfastError } from 'holdfast';
import type { PasskeyFailure } from 'holdfast/expo';
import { explainPasskeyError } from '../session/phone.ts';

/** Why a sign-in failed: what happened, and what to do about it. */
export type SignInFailure = { readonly title: string; readonly text: string; readonly isCredentialWrong: boolean };

/** Tells a wrong credential from a server that is away and from one that refuses this app. */
export function explainSignInFailure(error: Error): SignInFailure {
  const code = error instanceof HoldfastError ? error.code : null;
  switch (code) {
    case 'sign-in-rejected':
      return {
        title: 'That did not match',
        text: 'The user name or the password is wrong. Check both and try again.',
        isCredentialWrong: true,
      };
    case 'server-unavailable':
      return {
        title: 'The server cannot be reached',
        text: 'It did not answer, or cannot answer now. Nothing is lost: try again in a moment.',
        isCredentialWrong: false,
      };
    case 'misconfigured':
      return {
        title: 'The server does not accept this app',
        text: 'Its configuration does not name this app.',
        isCredentialWrong: false,
      };
    default:
      return {
        title: 'The sign-in did not work',
        text: `An answer was not what this app understands${code === null ? '' : ` (${code})`}. Try again.`,
        isCredentialWrong: false,
      };
  }
}

const passkeyFailures: Readonly<Record<PasskeyFailure, Omit<SignInFailure, 'isCredentialWrong'>>> = {
  cancelled: {
    title: 'No passkey was used',
    text: 'You cancelled, were not recognised, or this phone has none for this app. Try again, or use your password.',
  },
  unavailable: {
    title: 'Passkeys do not work on this phone',
    text: 'Set up Face ID or Touch ID, or use your password.',
  },
  'not-allowed-here': {
    title: 'Passkeys do not work with this server yet',
    text: 'It does not name this app among those that belong to it. Use your password.',
  },
  'already-registered': { title: 'This phone has a passkey already', text: 'Use that one.' },
  failed: {
    title: 'The passkey was not accepted',
    text: 'The server does not know it, or could not verify you with it. Use your password, or another passkey.',
  },
};

/** Tells a passkey that was not used from one that was not accepted, and from a phone or a server without any. */
export function explainPasskeyFailure(error: Error): SignInFailure {
  if (error instanceof HoldfastError && error.code !== 'sign-in-rejected') return explainSignInFailure(error);
  return { ...passkeyFailures[explainPasskeyError(error)], isCredentialWrong: false };
}
