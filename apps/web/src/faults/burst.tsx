import type { SignedInSession } from 'holdfast/react';
import type { ReactElement } from 'react';
import { FaultRow } from './fault.tsx';
import { burstSize, useBurst, type BurstResult, type CellState } from './use-burst.ts';

const cellWords: Readonly<Record<CellState, string>> = {
  idle: 'not sent',
  sent: 'sent',
  parked: 'waiting',
  again: 'sent again',
  done: 'done',
  failed: 'failed',
};

/** A state shows without its colour as well. */
const cellGlyphs: Readonly<Record<CellState, string>> = {
  idle: '',
  sent: '↑',
  parked: '…',
  again: '↻',
  done: '✓',
  failed: '✕',
};

/** Twenty requests at once, each a cell. */
export function Burst({ session }: { readonly session: SignedInSession }): ReactElement {
  const isActive = session.status === 'active';
  const burst = useBurst(isActive ? session.sid : null, isActive ? session.tokenNumber : 0);
  return (
    <FaultRow
      title={`Fire ${burstSize} requests at once`}
      explanation="Let the access token expire first: all of them are refused, one refresh is made, and all are sent again."
      buttonLabel={burst.isRunning ? 'Under way …' : `Fire ${burstSize} requests`}
      isBusy={burst.isRunning}
      onRun={burst.fire}
      result={burst.result === null ? null : describeResult(burst.result)}
    >
      <ul className="cells" aria-label={`The ${burstSize} requests`}>
        {burst.cells.map((state, index) => (
          // A cell is its place.
          // oxlint-disable-next-line react/no-array-index-key
          <li key={index} className="cell" data-state={state}>
            <span aria-hidden="true">{cellGlyphs[state]}</span>
            <span className="visually-hidden">
              Request {index + 1}: {cellWords[state]}
            </span>
          </li>
        ))}
      </ul>
      <ul className="legend" aria-hidden="true">
        {(['sent', 'parked', 'again', 'done', 'failed'] as const).map((state) => (
          <li key={state}>
            <span className="cell" data-state={state}>
              {cellGlyphs[state]}
            </span>
            {cellWords[state]}
          </li>
        ))}
      </ul>
    </FaultRow>
  );
}

function times(count: number): string {
  return count === 1 ? '1 refresh' : `${count === 0 ? 'no' : count} refreshes`;
}

function describeResult(result: BurstResult): ReactElement {
  const { done, durationMs } = result;
  const duration = durationMs < 10_000 ? `${Math.round(durationMs)} ms` : `${(durationMs / 1_000).toFixed(1)} s`;
  return (
    <>
      <strong>
        {done} of {burstSize} answered in {duration}.
      </strong>{' '}
      {describeRefreshes(result)}
    </>
  );
}

function describeRefreshes({ sentRefreshes, countedRefreshes, isNewSession }: BurstResult): string {
  const sent = `This page sent ${times(sentRefreshes)}`;
  if (isNewSession) return `${sent}, which was rejected. You signed in again, and a new session carried them.`;
  if (countedRefreshes === null) return `${sent}; what the server counted is not known.`;
  return `${sent}; the server counted ${countedRefreshes === 0 ? 'none' : countedRefreshes}.`;
}
