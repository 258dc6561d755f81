import { useLayoutEffect, useRef, type ReactElement, type ReactNode } from 'react';
import { focusHeadingIfLost } from '../page/focus-heading.ts';

/** A native modal dialog that only its owner closes. The focus returns to where it was. */
export function ModalDialog(props: {
  readonly labelledBy: string;
  readonly describedBy: string;
  /** The action of Escape; `null`: none. */
  readonly onCancel: (() => void) | null;
  readonly children: ReactNode;
}): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  // Before it is removed: an element that is gone gives no focus back.
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    element?.querySelector<HTMLElement>('[data-first=true], [name=password]')?.focus();
    return () => {
      element?.close();
      focusHeadingIfLost();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className="sheet"
      // A second Escape closes whatever `cancel` says, unless the dialog takes none.
      closedby={props.onCancel === null ? 'none' : 'closerequest'}
      aria-labelledby={props.labelledBy}
      aria-describedby={props.describedBy}
      onCancel={(event) => {
        event.preventDefault();
        props.onCancel?.();
      }}
    >
      <div className="sheet-body">{props.children}</div>
    </dialog>
  );
}
