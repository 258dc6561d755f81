import type { SignedInSession } from 'holdfast/react';
import type { MouseEvent, ReactElement } from 'react';
import { Brand } from '../design/brand.tsx';
import type { Profile } from '../session/profile.ts';
import { auth } from '../session/session.ts';
import { StatusPill } from '../session/status-pill.tsx';
import { showView, viewPaths, type View } from './view.ts';

/** Where one is, how the session is, who is signed in, and the way out. */
export function PageHeader(props: {
  readonly session: SignedInSession;
  readonly profile: Profile | null;
  readonly view: View;
}): ReactElement {
  const { session, profile, view } = props;
  return (
    <header className="page-header">
      <div className="page-header-inner">
        <Brand />
        <nav className="page-nav" aria-label="Pages">
          <ViewLink view="notes" current={view} label="Notes" />
          <ViewLink view="security" current={view} label="Security" />
        </nav>
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

function ViewLink(props: { readonly view: View; readonly current: View; readonly label: string }): ReactElement {
  const { view, current, label } = props;
  const onClick = (event: MouseEvent): void => {
    // A new tab is the browser's business.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    showView(view);
  };
  return (
    <a href={viewPaths[view]} aria-current={view === current ? 'page' : undefined} onClick={onClick}>
      {label}
    </a>
  );
}
