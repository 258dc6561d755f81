import type { ReactElement } from 'react';

/** Starts a sign-in by passkey. */
export function PasskeyButton(props: {
  readonly label: string;
  readonly isPending: boolean;
  readonly onStart: () => void;
  /** The first thing to do here, and not one of two. */
  readonly isPrimary?: boolean;
}): ReactElement {
  const { label, isPending, onStart, isPrimary = false } = props;
  return (
    <button
      type="button"
      className={`button button-wide passkey-button${isPrimary ? ' button-primary' : ''}`}
      data-first={isPrimary}
      aria-disabled={isPending}
      data-busy={isPending}
      onClick={() => {
        if (!isPending) onStart();
      }}
    >
      <svg className="passkey-mark" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
        <circle cx="6.5" cy="10" r="3.5" />
        <path d="M10 10h8" />
        <path d="M14.5 10v3" />
        <path d="M17.5 10v2.5" />
      </svg>
      {isPending ? 'Waiting for your passkey …' : label}
    </button>
  );
}
