import type { ReactElement } from 'react';
import { useExpiryWarning } from 'holdfast/react';
import { formatCountdown } from './clock.ts';

/** Warns before the session ends, with a way to keep it. The element stays, so that what comes into it is announced. */
export function ExpiryWarning(): ReactElement {
  const warning = useExpiryWarning();
  return (
    <div role="status">
      {warning !== null && (
        <div className="expiry-warning" data-urgent={warning.secondsLeft <= 60}>
          <p>
            <strong>Your session is about to end.</strong>{' '}
            {warning.isExtendable
              ? 'Extend it, and everything stays as it is.'
              : 'It has lasted as long as sessions do here: you will be asked to confirm it is you, and lose nothing.'}
          </p>
          {/* Ticks, and is no news: a screen reader that announced every second would say nothing else. */}
          <span className="expiry-countdown" role="timer" aria-label="Time left">
            {formatCountdown(warning.secondsLeft * 1_000)}
          </span>
          {warning.isExtendable && (
            <button
              type="button"
              className="button button-primary"
              aria-disabled={warning.isExtending}
              data-busy={warning.isExtending}
              onClick={warning.extend}
            >
              {warning.isExtending ? 'Extending …' : 'Extend'}
            </button>
          )}
        </div>
      )}
    </div>
  );
}
