import type { SignedInSession } from 'holdfast/react';
import type { ReactElement } from 'react';
import { EventLogPanel } from '../event-log/event-log-panel.tsx';
import { FaultsPanel } from '../faults/faults-panel.tsx';
import { NotesPanel } from '../notes/notes-panel.tsx';
import { ReauthenticationSheet } from '../reauthentication/reauthentication-sheet.tsx';
import { SecurityView } from '../security/security-view.tsx';
import { ExpiryWarning } from '../session/expiry-warning.tsx';
import { useProfile } from '../session/profile.ts';
import { SessionPanel } from '../session/session-panel.tsx';
import { TimelinePanel } from '../timeline/timeline-panel.tsx';
import { PageHeader } from './page-header.tsx';
import './page.css';
import { useView, type View } from './view.ts';

const titles: Readonly<Record<View, string>> = { notes: 'Notes · Holdfast', security: 'Security · Holdfast' };
const headings: Readonly<Record<View, string>> = {
  notes: 'Your notes, and the session beneath them',
  security: 'Your passkeys, your password and your devices',
};

/** The page of a signed-in user. */
export function SignedInPage({ session }: { readonly session: SignedInSession }): ReactElement {
  const profile = useProfile(session.user.sub);
  const view = useView();
  return (
    <>
      <title>{titles[view]}</title>
      <a className="skip-link" href="#content">
        Skip to the content
      </a>
      <PageHeader session={session} profile={profile} view={view} />
      <main id="content" className="page" tabIndex={-1}>
        <h1 className="visually-hidden" tabIndex={-1}>
          {headings[view]}
        </h1>
        <ExpiryWarning session={session} />
        {/* Hidden, not gone: what was typed and what is under way stay. */}
        <div hidden={view !== 'notes'}>
          <NotesView session={session} />
        </div>
        {view === 'security' && <SecurityView session={session} username={profile?.username ?? null} />}
      </main>
      <ReauthenticationSheet username={profile?.username ?? null} />
    </>
  );
}

/** An app and the session beneath it, trouble to make, and what came of it. */
function NotesView({ session }: { readonly session: SignedInSession }): ReactElement {
  return (
    <div className="column">
      <div className="columns">
        <NotesPanel session={session} />
        <SessionPanel session={session} />
      </div>
      <FaultsPanel session={session} />
      <TimelinePanel />
      <EventLogPanel />
    </div>
  );
}
