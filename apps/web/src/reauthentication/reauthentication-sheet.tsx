import { useId, useLayoutEffect, useRef, type ReactElement, type ReactNode } from 'react';
import { focusHeadingIfLost } from '../page/focus-heading.ts';
import { auth } from '../session/session.ts';
import type { SignedInSnapshot } from '../session/session.ts';
import { explainReauthentication } from '../session/wording.ts';
import { ReauthenticationForm } from './reauthentication-form.tsx';
import './reauthentication.css';

type ReauthenticationSnapshot = Extract<SignedInSnapshot, { status: 'reauth-required' }>;

/** Asks the user to authenticate again, over the page that waits behind it. */
export function ReauthenticationSheet(props: {
  readonly session: ReauthenticationSnapshot;
  /** `null`: not known to this browser. */
  readonly username: string | null;
}): ReactElement {
  const titleId = useId();
  const reasonId = useId();
  const { reason, parkedRequests } = props.session;
  return (
    <ModalDialog labelledBy={titleId} describedBy={reasonId}>
      <h2 id={titleId}>Sign in to go on</h2>
      <p id={reasonId} className="sheet-reason">
        {explainReauthentication(reason)} Your page is still here, and goes on where it was.
      </p>
      <ParkedNote count={parkedRequests} />
      <ReauthenticationForm username={props.username} />
      <button type="button" className="button button-quiet button-wide" onClick={() => auth.declineReauthentication()}>
        Sign out instead
      </button>
    </ModalDialog>
  );
}

function ParkedNote({ count }: { readonly count: number }): ReactElement {
  return (
    <p className="parked-note" role="status">
      {count > 0 && (
        <>
          <strong>{count === 1 ? '1 request is parked' : `${count} requests are parked`}.</strong> Sent as soon as you
          are back.
        </>
      )}
    </p>
  );
}

/** A native modal dialog that only its owner closes. The focus returns to where it was. */
function ModalDialog(props: {
  readonly labelledBy: string;
  readonly describedBy: string;
  readonly children: ReactNode;
}): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  // Before it is removed: an element that is gone gives no focus back.
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    element?.querySelector<HTMLElement>('[name=password]')?.focus();
    return () => {
      element?.close();
      focusHeadingIfLost();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className="sheet"
      closedby="none"
      aria-labelledby={props.labelledBy}
      aria-describedby={props.describedBy}
      onCancel={(event) => event.preventDefault()}
    >
      <div className="sheet-body">{props.children}</div>
    </dialog>
  );
}
