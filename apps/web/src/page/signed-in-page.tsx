import type { ReactElement } from 'react';
import { Brand } from '../design/brand.tsx';
import { EventLogPanel } from '../event-log/event-log-panel.tsx';
import { NotesPanel } from '../notes/notes-panel.tsx';
import { ReauthenticationSheet } from '../reauthentication/reauthentication-sheet.tsx';
import { ExpiryWarning } from '../session/expiry-warning.tsx';
import { useProfile, type Profile } from '../session/profile.ts';
import { SessionPanel } from '../session/session-panel.tsx';
import { auth, type SignedInSnapshot } from '../session/session.ts';
import { StatusPill } from '../session/status-pill.tsx';
import { TrialsPanel } from '../trials/trials-panel.tsx';
import './page.css';

/** The page of a signed-in user: on the left an app, on the right the session beneath it. */
export function SignedInPage({ session }: { readonly session: SignedInSnapshot }): ReactElement {
  const profile = useProfile(session.user.sub);
  return (
    <>
      <title>Notes · Holdfast</title>
      <a className="skip-link" href="#content">
        Skip to the content
      </a>
      <PageHeader session={session} profile={profile} />
      <main id="content" className="page" tabIndex={-1}>
        <h1 className="visually-hidden" tabIndex={-1}>
          Your notes, and the session beneath them
        </h1>
        <ExpiryWarning session={session} />
        <div className="columns">
          <div className="column">
            <NotesPanel parkedRequests={session.parkedRequests} />
            <TrialsPanel session={session} />
          </div>
          <div className="column">
            <SessionPanel session={session} />
            <EventLogPanel />
          </div>
        </div>
      </main>
      {session.status === 'reauth-required' && (
        <ReauthenticationSheet session={session} username={profile?.username ?? null} />
      )}
    </>
  );
}

function PageHeader(props: { readonly session: SignedInSnapshot; readonly profile: Profile | null }): ReactElement {
  const { session, profile } = props;
  return (
    <header className="page-header">
      <div className="page-header-inner">
        <Brand />
        <StatusPill session={session} />
        <div className="page-user">
          <span className="page-user-name">
            <span className="visually-hidden">Signed in as </span>
            {profile === null ? <span className="bone bone-name" /> : profile.name}
          </span>
          {profile !== null && <span className="page-user-id">{profile.username}</span>}
        </div>
        <button type="button" className="button button-small" onClick={() => void auth.signOut()}>
          Sign out
        </button>
      </div>
    </header>
  );
}
