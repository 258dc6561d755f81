import type { ReauthenticationFailure } from './session-state.ts';

const CANCELLED: ReadonlySet<string> = new Set(['NotAllowedError', 'AbortError']);
const UNAVAILABLE: ReadonlySet<string> = new Set(['NotSupportedError', 'ConstraintError']);

/**
 * Why a means of authenticating did not help, from the name of its error: `auth.declineReauthentication(whyFailed(error))`.
 * @see WebAuthn Level 3 §5.1.3, §5.1.4
 */
export function whyFailed(error: unknown): ReauthenticationFailure {
  const name = error instanceof Error ? error.name : '';
  if (CANCELLED.has(name)) return 'cancelled';
  return UNAVAILABLE.has(name) ? 'unavailable' : 'failed';
}
