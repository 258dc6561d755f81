import { HoldfastError } from 'holdfast';
import { explainPasskeyError, registerPasskey } from 'holdfast/web';
import { useId, useState, type ReactElement, type SubmitEvent } from 'react';
import { useCall } from '../page/use-call.ts';
import { auth } from '../session/session.ts';
import { nameDevice } from './device-name.ts';
import { explainChangeFailure } from './security-api.ts';

/** As the server has it. */
const nameLength = 64;

function explainFailure(error: unknown): string {
  if (error instanceof HoldfastError)
    return explainChangeFailure(error, {
      400: 'It took too long. Try again.',
      409: 'You have as many passkeys as there can be. Remove one first.',
    });
  switch (explainPasskeyError(error)) {
    case 'cancelled':
      return 'No passkey was made: you cancelled, or were not recognised.';
    case 'already-registered':
      return 'This device has a passkey of yours already.';
    case 'unavailable':
      return 'This device cannot make a passkey. It needs a screen lock or a security key.';
    case 'not-allowed-here':
      return 'Passkeys do not work at this address. Open the one that the server printed when it started.';
    case 'failed':
      return explainChangeFailure(error);
  }
}

/** Makes a passkey, with a name to know it by. */
export function PasskeyComposer({ onAdded }: { readonly onAdded: () => void }): ReactElement {
  const id = useId();
  const failureId = useId();
  const [name, setName] = useState(() => nameDevice(navigator.userAgent));
  const call = useCall(async () => {
    await registerPasskey(auth, { issuer: location.origin, name });
    onAdded();
  }, explainFailure);
  const isPending = call.state === 'pending';
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!isPending) call.start();
  };
  return (
    <form className="row-form" aria-label="Add a passkey" onSubmit={onSubmit}>
      <div className="field">
        <label htmlFor={id}>Name of the new passkey</label>
        <div className="row-form-line">
          <div className="field-box">
            <input
              id={id}
              type="text"
              autoComplete="off"
              maxLength={nameLength}
              required
              value={name}
              aria-describedby={failureId}
              onChange={(event) => setName(event.target.value)}
            />
          </div>
          <button type="submit" className="button button-primary" aria-disabled={isPending} data-busy={isPending}>
            {isPending ? 'Adding …' : 'Add a passkey'}
          </button>
        </div>
      </div>
      <p id={failureId} className="row-result" data-tone={call.state === 'failed' ? 'bad' : 'good'} role="status">
        {call.state === 'done' ? 'Added. Next time, sign in with it.' : call.failure}
      </p>
    </form>
  );
}
