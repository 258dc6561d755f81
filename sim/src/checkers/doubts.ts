import type { SessionSnapshot } from '../../../client/src/core/snapshot.ts';
import type { Observation } from '../../../client/src/core/state.ts';
import type { Ground } from '../sandbox/process.ts';
import type { CheckedTab } from './checked-tab.ts';
import type { Books } from './ledger.ts';

/** A tab must show its doubt after refusals have lasted for this time, in ms. */
const SHOWN_AFTER_MS = 60_000;

type Parts = Pick<Ground, 'scheduler' | 'setup'> & { readonly books: Books };

/** Observations that end a series of refusals: the session was renewed, adopted, or replaced. */
const ENDS: ReadonlySet<Observation['type']> = new Set([
  'refresh.succeeded',
  'refresh.adopted',
  'session.adopted',
  'signed-in',
  'signed-out',
  'reauthentication.required',
]);

/** I11: a tab shows that its session is in doubt once the server has refused for a minute to renew it. */
export function noteRefusals({ scheduler, books }: Parts, tab: CheckedTab, observation: Observation): void {
  if (ENDS.has(observation.type)) tab.refusedSinceMs = null;
  if (observation.type !== 'refresh.failed' || observation.cause !== 'misconfigured') return;
  // The refusal of a token for a resource says nothing about the session.
  if (tab.cause === 'resource') return;
  const sinceMs = (tab.refusedSinceMs ??= tab.monotonicMs());
  const refusedMs = tab.monotonicMs() - sinceMs;
  if (refusedMs <= SHOWN_AFTER_MS) return;
  // Judge after the transition, when the snapshot shows its changes.
  scheduler.after(0, () => {
    const snapshot = tab.auth.getSnapshot();
    if (tab.refusedSinceMs !== sinceMs || tab.isUnmounted || !tab.process.isAlive) return;
    if (snapshot.status === 'active' && !snapshot.isDoubtful)
      books.violate('I11', `${tab.process.name} shows no doubt, and was refused for ${refusedMs} ms`);
  });
}

const BY_SERVER: ReadonlySet<string> = new Set(['expired', 'revoked', 'reuse-detected']);

/** I11: error codes that end no session sign no user out. */
export function judgeRefusalShown({ books, setup }: Parts, tab: CheckedTab, now: SessionSnapshot): void {
  if (now.status === 'active' && now.isDoubtful) books.reach('session in doubt');
  if (
    now.status === 'reauthentication-required' &&
    tab.hearsOtherWords &&
    setup.faults.otherWords > 0 &&
    BY_SERVER.has(now.reason)
  )
    books.violate(
      'I11',
      `${tab.process.name} asks for a sign-in (${now.reason}), and nothing has said that its session is over`,
    );
}
