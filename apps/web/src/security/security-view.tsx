import type { SignedInSession } from 'holdfast/react';
import type { ReactElement } from 'react';
import { DevicesPanel } from './devices-panel.tsx';
import { PasskeysPanel } from './passkeys-panel.tsx';
import { PasswordPanel } from './password-panel.tsx';
import './security.css';

/** How the user signs in, and where the user is signed in. */
export function SecurityView(props: {
  readonly session: SignedInSession;
  readonly username: string | null;
}): ReactElement {
  const { session, username } = props;
  return (
    <div className="columns">
      <div className="column">
        <PasskeysPanel sub={session.user.sub} />
        <PasswordPanel username={username} />
      </div>
      <div className="column">
        {/* Signing in again makes another session of this one: the list is another then, and not asked for before. */}
        <DevicesPanel sid={session.status === 'active' ? session.sid : null} />
      </div>
    </div>
  );
}
