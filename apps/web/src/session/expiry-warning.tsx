import { useExpiryWarning, type ExpiryWarning as ExpiryWarningState, type SignedInSession } from 'holdfast/react';
import type { ReactElement } from 'react';
import { formatCountdown } from './clock.ts';
import { useExtension } from './use-extension.ts';

/** Warns before the session ends, with a way to keep it. The element stays: a screen reader announces what comes into it. */
export function ExpiryWarning({ session }: { readonly session: SignedInSession }): ReactElement {
  const warning = useExpiryWarning();
  const extension = useExtension(session);
  const hasReport = extension.report !== '';
  return (
    <div role="status" className="expiry">
      {(warning !== null || hasReport) && (
        <div className="expiry-warning" data-tone={warning === null ? 'good' : 'wait'}>
          {warning !== null && <Warning warning={warning} onExtend={extension.start} />}
          {hasReport && <p className="expiry-report">{extension.report}</p>}
        </div>
      )}
    </div>
  );
}

function Warning(props: { readonly warning: ExpiryWarningState; readonly onExtend: () => void }): ReactElement {
  const { secondsLeft, isExtendable, isExtending } = props.warning;
  return (
    <>
      <p>
        <strong>Your session is about to end.</strong>{' '}
        {isExtendable
          ? 'Extend it, and everything stays as it is.'
          : 'It has lasted as long as sessions do here: you will be asked to confirm it is you, and lose nothing.'}
      </p>
      {/* Ticks, and is no news: a screen reader that announced every second would say nothing else. */}
      <span className="expiry-countdown" role="timer" aria-label="Time left">
        {formatCountdown(secondsLeft * 1_000)}
      </span>
      {isExtendable && (
        <button
          type="button"
          className="button button-primary"
          aria-disabled={isExtending}
          data-busy={isExtending}
          onClick={props.onExtend}
        >
          {isExtending ? 'Extending …' : 'Extend'}
        </button>
      )}
    </>
  );
}
