import type { ReactElement, ReactNode } from 'react';
import type { Loaded } from './use-loaded.ts';

/** A list that is loading, could not be loaded, is empty, or is there. */
export function LoadedList<Item>(props: {
  readonly list: Loaded<readonly Item[]>;
  /** The noun of the list, with a capital: `Passkeys`. */
  readonly title: string;
  readonly empty: ReactNode;
  readonly children: (item: Item) => ReactElement;
}): ReactElement {
  const { list, title, empty, children } = props;
  const { value, failure, reload } = list;
  if (failure !== null) {
    return (
      <div className="notice" data-tone="bad" role="alert">
        <p className="notice-title">{title} could not be loaded</p>
        <p>{failure}</p>
        <button type="button" className="button button-small" onClick={reload}>
          Try again
        </button>
      </div>
    );
  }
  if (value === null) {
    return (
      <div className="rows-skeleton" role="status" aria-label={`${title} are loading`}>
        <span className="bone" />
        <span className="bone bone-short" />
      </div>
    );
  }
  if (value.length === 0) return <p className="empty">{empty}</p>;
  return (
    <ul className="rows" aria-label={title}>
      {value.map(children)}
    </ul>
  );
}
