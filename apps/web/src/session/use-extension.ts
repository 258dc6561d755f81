import type { SignedInSession } from 'holdfast/react';
import { useEffect, useState } from 'react';
import { auth } from './session.ts';
import { isExtensionAnswered, reportExtension, type AskedExtension } from './wording.ts';

/** An extension of the session by its user. */
export type Extension = {
  readonly start: () => void;
  /** The outcome in a sentence; empty before, and some seconds after. */
  readonly report: string;
};

/** Long enough to be read twice. */
const REPORT_MS = 10_000;

/** “Extend”, and what came of it. */
export function useExtension(session: SignedInSession): Extension {
  const [asked, setAsked] = useState<AskedExtension | null>(null);
  const isOver = asked !== null && isExtensionAnswered(asked, session);
  useEffect(() => {
    if (!isOver) return;
    const timer = setTimeout(() => setAsked(null), REPORT_MS);
    return () => clearTimeout(timer);
  }, [isOver]);
  return {
    start: () => {
      if (session.status !== 'active') return;
      setAsked({ tokenNumber: session.tokenNumber, endsAtMs: session.sessionExpiresAtMs ?? 0 });
      auth.extend();
    },
    report: asked === null ? '' : reportExtension(asked, session),
  };
}
