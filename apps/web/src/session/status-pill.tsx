import type { ReactElement } from 'react';
import type { SignedInSession } from 'holdfast/react';
import { useOnline } from '../faults/network.ts';
import { summarizeSession } from './wording.ts';

const offline = { tone: 'wait', label: 'Offline' } as const;

/** The session in a word, for the page's header. */
export function StatusPill({ session }: { readonly session: SignedInSession }): ReactElement {
  const isOnline = useOnline();
  const { tone, label } = isOnline ? summarizeSession(session) : offline;
  return (
    <span className="pill" data-tone={tone}>
      {label}
    </span>
  );
}
