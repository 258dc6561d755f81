import { HoldfastError } from 'holdfast';
import { explainPasskeyError, type PasskeyFailure } from 'holdfast/web';

/** Why a sign-in failed: what happened, and what to do about it. */
export type SignInFailure = { readonly title: string; readonly text: string; readonly isCredentialWrong: boolean };

/** Tells a wrong credential from a server that is away and from one that refuses this page. */
export function explainSignInFailure(error: unknown): SignInFailure {
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
        title: 'The server does not accept this page',
        text: 'Its configuration does not name this page or its address. Open the address that the server printed when it started.',
        isCredentialWrong: false,
      };
    default:
      return {
        title: 'The sign-in did not work',
        text: `An answer was not what this page understands${code === null ? '' : ` (${code})`}. Reload the page and try again.`,
        isCredentialWrong: false,
      };
  }
}

/** Tells a passkey that was not used from one that was not accepted, and from a browser or an address without any. */
export function explainPasskeyFailure(error: unknown): SignInFailure {
  const code = error instanceof HoldfastError ? error.code : null;
  if (code !== null && code !== 'sign-in-rejected') return explainSignInFailure(error);
  return { ...passkeyFailures[explainPasskeyError(error)], isCredentialWrong: false };
}

const passkeyFailures: Readonly<Record<PasskeyFailure, Omit<SignInFailure, 'isCredentialWrong'>>> = {
  cancelled: {
    title: 'No passkey was used',
    text: 'You cancelled, were not recognised, or this device has none for this page. Try again, or use your password.',
  },
  unavailable: { title: 'Passkeys do not work in this browser', text: 'Use your password.' },
  'not-allowed-here': {
    title: 'Passkeys do not work at this address',
    text: 'They belong to the address that the server printed when it started. Open that one, or use your password.',
  },
  'already-registered': { title: 'This device has a passkey already', text: 'Use that one.' },
  failed: {
    title: 'The passkey was not accepted',
    text: 'The server does not know it, or could not verify you with it. Use your password, or another passkey.',
  },
};
