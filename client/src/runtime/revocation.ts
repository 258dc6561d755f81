import { isTransientStatus } from '../core/errors.ts';
import { withoutRevocation, withRevocation } from '../core/outbox.ts';
import type { HttpResponse, PendingRevocation } from '../core/ports.ts';
import type { RevocationExtent } from '../core/state.ts';
import { readRetryAfterMs, revocationRequest } from '../core/wire.ts';
import { exchange } from './authorization-server.ts';
import type { Shell } from './shell.ts';
import { within } from './timeouts.ts';

// Revocations are retried with back-off, on reconnect and after a relaunch. The local session is gone at once, whether
// they reach the server or not.

/** The store's device secret. While the store cannot be used, a secret of this page alone. */
export async function readDeviceSecret(shell: Shell): Promise<string> {
  const { platform, policy } = shell;
  const kept = platform.deviceSecret(shell.deviceSecret);
  return (shell.deviceSecret = await within(platform.clock, policy.vaultWaitMs, kept).catch(() => shell.deviceSecret));
}

/**
 * Tells the server at once that a session has ended here, because the page may be about to close. Also keeps the
 * revocation in the outbox, because the network may be down.
 */
export async function postRevocation(
  shell: Shell,
  { sid, refreshToken }: PendingRevocation,
  extent?: RevocationExtent,
): Promise<void> {
  const revocation: PendingRevocation = { sid, refreshToken, ...(extent && { [extent]: true }) };
  // Not `Promise.allSettled`: engines of older phones lack it, and the sign-out would never be sent.
  shell.noted = Promise.all([shell.noted, shell.platform.outbox.add(revocation).catch(() => {})]);
  await deliver(shell, [revocation]);
}

/** Sends every revocation that the server may not have received. */
export async function deliverRevocations(shell: Shell): Promise<void> {
  const { clock, outbox } = shell.platform;
  const kept = await within(clock, shell.policy.vaultWaitMs, outbox.list()).catch(() => []);
  // Revocations that the outbox could not keep are in memory only.
  await deliver(shell, shell.undelivered.reduce(withRevocation, kept));
}

/**
 * Delivers pending sign-outs before a sign-in. Delivered later, they could end the new session, which is not used yet.
 * They are sent side by side, so a server that does not answer delays the sign-in by one response deadline.
 */
export async function deliverBeforeSignIn(shell: Shell): Promise<void> {
  if (shell.undelivered.length > 0) await deliverRevocations(shell);
}

/** True if the server itself has answered, definitively. HTML comes from a proxy or a captive portal. */
export const isDefinite = ({ status }: { readonly status: number }, body: string): boolean =>
  !isTransientStatus(status) && !/^\s*</u.test(body);

/** Error codes that concern the token. Others concern the proof, the client or the moment: the token still works. */
const FINAL = /"invalid_(grant|request|token)|unsupported/u;

/**
 * True if the server has dealt with the revocation, or will never accept its token. Unknown and ended tokens are
 * answered 200.
 * @see RFC 7009 §2.2, §2.2.1
 */
const isSettled = (answer: HttpResponse): boolean =>
  isDefinite(answer, answer.body) && (answer.status < 300 || FINAL.test(answer.body));

/** Tries each pending revocation once. The rest is tried again later, or at the next occasion. */
async function deliver(shell: Shell, pending: readonly PendingRevocation[]): Promise<void> {
  const { platform, wire, policy } = shell;
  let askedMs = 0;
  // Record them before the first `await`: a sign-in must not overtake them.
  shell.undelivered = pending.reduce(withRevocation, shell.undelivered);
  const tries = pending.map(async (revocation) => {
    const answer = await exchange(shell, revocationRequest(wire, revocation, shell.deviceSecret)).catch(() => null);
    if (!answer) return;
    if (isSettled(answer)) {
      shell.undelivered = withoutRevocation(shell.undelivered, revocation);
      // Remove the revocation only after it was kept. Otherwise it would be sent again, perhaps after the next sign-in.
      void shell.noted.then(() => platform.outbox.remove(revocation)).catch(() => {});
    } else askedMs = Math.max(askedMs, readRetryAfterMs(answer.headers) ?? 0);
  });
  await Promise.all(tries);
  shell.cancelDelivery();
  if (shell.undelivered.length === 0) shell.deliveries = 0;
  else if (!shell.isDisposed) {
    const stepMs = policy.backoffBaseMs * 2 ** shell.deliveries++ * (1 + platform.random());
    const waitMs = Math.min(policy.retryAfterCapMs, Math.max(askedMs, stepMs));
    shell.cancelDelivery = platform.clock.wake(waitMs, () => void deliverRevocations(shell), true);
  }
}
