import type { ReactElement } from 'react';
import type { SignInFailure } from './sign-in-failure.ts';

/** Says what went wrong. The element stays while it is empty, so that screen readers announce what comes into it. */
export function FailureNotice({
  id,
  failure,
}: {
  readonly id: string;
  readonly failure: SignInFailure | null;
}): ReactElement {
  return (
    <div id={id} role="alert">
      {failure !== null && (
        <div className="notice" data-tone="bad">
          <p className="notice-title">{failure.title}</p>
          <p>{failure.text}</p>
        </div>
      )}
    </div>
  );
}
