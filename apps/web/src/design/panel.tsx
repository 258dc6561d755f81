import { useId, type ReactElement, type ReactNode } from 'react';

/** A titled part of the page, a landmark by its title. */
export function Panel(props: {
  readonly title: string;
  /** One sentence below the title. */
  readonly lead?: ReactNode;
  /** Beside the title. */
  readonly action?: ReactNode;
  readonly children: ReactNode;
}): ReactElement {
  const titleId = useId();
  return (
    <section className="panel" aria-labelledby={titleId}>
      <header className="panel-head">
        <div>
          <h2 id={titleId}>{props.title}</h2>
          {props.lead !== undefined && <p className="panel-lead">{props.lead}</p>}
        </div>
        {props.action}
      </header>
      {props.children}
    </section>
  );
}
