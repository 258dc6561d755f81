import type { ReactElement } from 'react';
import type { SignedInSnapshot } from './session.ts';
import { summarizeSession } from './wording.ts';

/** The session in a word, for the page's header. */
export function StatusPill({ session }: { readonly session: SignedInSnapshot }): ReactElement {
  const { tone, label } = summarizeSession(session);
  return (
    <span className="pill" data-tone={tone}>
      {label}
    </span>
  );
}
