import type { ReactElement } from 'react';

/** The mark: a stem that holds on by its roots, which is what a holdfast is. */
export function Brand(): ReactElement {
  return (
    <span className="brand">
      <svg className="brand-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <path d="M16 5v20" />
        <path d="M16 10c4 0 5.5-1.5 6.5-4.5" />
        <path d="M16 14c-4 0-5.5-1.5-6.5-4.5" />
        <path d="M16 17c-1.2 4.5-5 6.5-9.5 8.5" />
        <path d="M16 17c1.2 4.5 5 6.5 9.5 8.5" />
      </svg>
      <span className="brand-name">Holdfast</span>
    </span>
  );
}
