import type { ReauthenticationFailure } from '../core/state.ts';

const CANCELLED = /^(?:NotAllowed|Abort)Error$/u;
const UNAVAILABLE = /^(?:NotSupported|Constraint)Error$/u;

/**
 * Derives from an error's name why a means of authenticating failed: `auth.declineReauthentication(whyFailed(error))`.
 * @see WebAuthn Level 3 §5.1.3, §5.1.4
 */
export function whyFailed(error: unknown): ReauthenticationFailure {
  const name = error instanceof Error ? error.name : '';
  if (CANCELLED.test(name)) return 'cancelled';
  return UNAVAILABLE.test(name) ? 'unavailable' : 'failed';
}
