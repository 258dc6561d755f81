import type { ReactElement } from 'react';
import { formatCountdown, useNowMs } from './clock.ts';
import { auth, type SignedInSnapshot } from './session.ts';

/** Warns before the session ends, with a way to keep it. The element stays, so that what comes into it is announced. */
export function ExpiryWarning({ session }: { readonly session: SignedInSnapshot }): ReactElement {
  const isShown = session.status === 'active' && session.expiring && session.sessionExpiresAt !== null;
  return (
    <div role="status">
      {isShown && <Warning endsAtMs={session.sessionExpiresAt} isExtending={session.refreshing} />}
    </div>
  );
}

function Warning(props: { readonly endsAtMs: number | null; readonly isExtending: boolean }): ReactElement {
  return (
    <div className="expiry-warning">
      <p>
        <strong>Your session is about to end.</strong> Extend it, and everything stays as it is.
      </p>
      <Countdown endsAtMs={props.endsAtMs ?? 0} />
      <button
        type="button"
        className="button button-primary"
        aria-disabled={props.isExtending}
        data-busy={props.isExtending}
        onClick={() => auth.extend()}
      >
        Extend
      </button>
    </div>
  );
}

/** Ticks on its own, and is no news: a screen reader that announced every second would say nothing else. */
function Countdown({ endsAtMs }: { readonly endsAtMs: number }): ReactElement {
  const nowMs = useNowMs();
  return (
    <span className="expiry-countdown" role="timer" aria-label="Time left">
      {formatCountdown(endsAtMs - nowMs)}
    </span>
  );
}
