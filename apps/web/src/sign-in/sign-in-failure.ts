import { HoldfastError } from 'holdfast';

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
