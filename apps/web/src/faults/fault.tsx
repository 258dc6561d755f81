import { useId, type ReactElement, type ReactNode } from 'react';
import type { Call } from '../page/use-call.ts';

type FaultRowProps = {
  readonly title: string;
  readonly explanation: ReactNode;
  readonly buttonLabel: string;
  readonly isBusy: boolean;
  readonly onRun: () => void;
  /** The result; `null` before. */
  readonly result: ReactNode;
  readonly tone?: 'bad';
  readonly children?: ReactNode;
};

/** Something to try: what it does, a button, and what came of it. */
export function FaultRow(props: FaultRowProps): ReactElement {
  const titleId = useId();
  const explanationId = useId();
  return (
    <section className="fault" aria-labelledby={titleId}>
      <div className="fault-head">
        <div>
          <h3 id={titleId}>{props.title}</h3>
          <p id={explanationId} className="fault-explanation">
            {props.explanation}
          </p>
        </div>
        <button
          type="button"
          className={props.tone === 'bad' ? 'button button-danger' : 'button'}
          aria-describedby={explanationId}
          // Not `disabled`, which would take the focus away.
          aria-disabled={props.isBusy}
          data-busy={props.isBusy}
          onClick={() => {
            if (!props.isBusy) props.onRun();
          }}
        >
          {props.buttonLabel}
        </button>
      </div>
      {props.children}
      <p className="fault-result" role="status">
        {props.result}
      </p>
    </section>
  );
}

/** Something to try that is one call, which may fail. */
export function CallRow({
  call,
  result,
  ...row
}: Omit<FaultRowProps, 'isBusy' | 'onRun'> & { readonly call: Call }): ReactElement {
  const isBusy = call.state === 'pending';
  return (
    <FaultRow {...row} isBusy={isBusy} onRun={call.start} result={call.state === 'failed' ? call.failure : result} />
  );
}
