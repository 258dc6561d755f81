import type { SignedOutReason } from 'holdfast';
import { useEffect, type ReactElement } from 'react';
import { Brand } from '../design/brand.tsx';
import { rememberDrafts } from '../notes/stored-drafts.ts';
import { rememberProfile } from '../session/profile.ts';
import { explainSignedOut } from '../session/wording.ts';
import { SignInForm } from './sign-in-form.tsx';
import './sign-in.css';

/** The page without a session: why there is none, and the way to sign in. */
export function SignInPage({ reason }: { readonly reason: SignedOutReason }): ReactElement {
  const notice = explainSignedOut(reason);
  useEffect(() => {
    rememberProfile(null);
    // After any other sign-out the same user comes back, and finds them.
    if (reason === 'user') rememberDrafts(null, []);
  }, [reason]);
  return (
    <div className="sign-in">
      <title>Sign in · Holdfast</title>
      <header className="sign-in-top">
        <Brand />
      </header>
      <main className="sign-in-main">
        <div className="sign-in-intro">
          <h1>Sessions that hold.</h1>
          <p className="intro-lead">
            Access tokens expire, answers get lost, tabs race each other. Holdfast renews the session once, parks what
            waits, and sends it again. Nobody notices.
          </p>
          <ol className="intro-steps">
            <li>Let an access token expire while you work.</li>
            <li>Fire twenty requests at once, and watch one refresh serve them all.</li>
            <li>End the session on the server, and go on where you were.</li>
          </ol>
        </div>
        <div className="sign-in-card">
          {notice !== null && (
            <div className="notice" data-tone={notice.tone} role="status">
              <p className="notice-title">{notice.title}</p>
              <p>{notice.text}</p>
            </div>
          )}
          <SignInForm />
        </div>
      </main>
    </div>
  );
}
