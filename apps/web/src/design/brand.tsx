import type { ReactElement } from 'react';

/** The mark: an H whose bar is a rope made fast to two posts. */
export function Brand(): ReactElement {
  return (
    <span className="brand">
      <svg className="brand-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <path d="M9 5v22" />
        <path d="M23 5v22" />
        <path d="M9 20c7 0 7-8 14-8" />
      </svg>
      <span className="brand-name">Holdfast</span>
    </span>
  );
}
