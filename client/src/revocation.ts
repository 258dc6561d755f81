import type { HttpAnswer, Revocation } from './ports.ts';
import type { Shell } from './shell.ts';
import { exchange } from './token-endpoint.ts';
import { parseObject, revocationRequest } from './wire.ts';
import { within } from './within.ts';

// The server is told of a sign-out when it can be reached: now, when the network is back, or after a relaunch. The local
// session is gone at once, whatever becomes of this.

/** Notes that a session has ended here, and tries to tell the server. */
export async function postRevocation(shell: Shell, { sid, refreshToken }: Revocation): Promise<void> {
  const revocation = { sid, refreshToken };
  const { clock, outbox } = shell.platform;
  await within(clock, shell.policy.vaultWaitMs, outbox.add(revocation)).catch(() => {});
  await deliver(shell, revocation);
}

/** Tells the server of every sign-out that it may not have heard of. */
export async function deliverRevocations(shell: Shell): Promise<void> {
  const pending = await shell.platform.outbox.list().catch(() => []);
  for (const revocation of pending) await deliver(shell, revocation);
}

/** Whether the server has understood: unknown and ended tokens are answered 200 (RFC 7009 §2.2), a portal's page says nothing. */
function isSettled({ status, body }: HttpAnswer): boolean {
  if (status >= 200 && status < 300) return true;
  return (
    status >= 400 && status < 500 && ![408, 425, 429].includes(status) && parseObject(body)?.['error'] !== undefined
  );
}

/** One try; what is not settled by it is tried again at the next occasion. */
async function deliver(shell: Shell, revocation: Revocation): Promise<void> {
  const { platform, wire } = shell;
  const answer = await exchange(shell, revocationRequest(wire, revocation)).catch(() => null);
  if (!answer || !isSettled(answer)) return;
  await platform.outbox.remove(revocation).catch(() => {});
}
