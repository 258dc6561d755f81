import type { SignedInSession } from 'holdfast/react';
import type { ReactElement } from 'react';
import { useReach } from '../faults/network.ts';
import { summarizeSession } from './wording.ts';

/** The session in a word, for the page's header. */
export function StatusPill({ session }: { readonly session: SignedInSession }): ReactElement {
  const { tone, label } = summarizeSession(session, useReach());
  return (
    <span className="pill" data-tone={tone}>
      {label}
    </span>
  );
}
