import { useId, useState, type ReactElement, type SubmitEvent } from 'react';
import { Panel } from '../design/panel.tsx';
import { PasswordField } from '../design/password-field.tsx';
import { useCall } from '../page/use-call.ts';
import { changePassword, explainChangeFailure } from './security-api.ts';

/** A new password in the place of the old one. */
export function PasswordPanel({ username }: { readonly username: string | null }): ReactElement {
  const resultId = useId();
  const [password, setPassword] = useState('');
  const [endsOthers, setEndsOthers] = useState(true);
  const call = useCall(
    async () => {
      await changePassword(password, endsOthers);
      setPassword('');
    },
    (error) =>
      explainChangeFailure(error, {
        400: 'It is too short, too long or too well known. Choose another one.',
        403: 'The password of the demo account cannot be changed.',
      }),
  );
  const isPending = call.state === 'pending';
  const isRefused = call.state === 'failed';
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!isPending) call.start();
  };
  return (
    <Panel title="Password" lead="The old one is not asked for: a sign-in from the last few minutes stands for it.">
      <form className="form" aria-label="Change password" onSubmit={onSubmit}>
        {/* For password managers, which otherwise do not know whose password this is. */}
        <input
          className="visually-hidden"
          type="text"
          name="username"
          autoComplete="username"
          aria-label="User name"
          tabIndex={-1}
          readOnly
          value={username ?? ''}
        />
        <PasswordField value={password} onChange={setPassword} isNew describedBy={isRefused ? resultId : undefined} />
        <label className="check">
          <input type="checkbox" checked={endsOthers} onChange={(event) => setEndsOthers(event.target.checked)} />
          Sign out everywhere else
        </label>
        <div className="row-form-end">
          <button type="submit" className="button" aria-disabled={isPending} data-busy={isPending}>
            {isPending ? 'Changing …' : 'Change password'}
          </button>
          <p id={resultId} className="row-result" data-tone={isRefused ? 'bad' : 'good'} role="status">
            {call.state === 'done' ? 'Changed.' : call.failure}
          </p>
        </div>
      </form>
    </Panel>
  );
}
