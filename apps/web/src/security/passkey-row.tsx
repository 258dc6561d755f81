import { useId, useRef, useState, type ReactElement, type SubmitEvent } from 'react';
import { focusOnAppearance } from '../page/focus-heading.ts';
import { useCall } from '../page/use-call.ts';
import { formatAgo, formatDay } from '../session/clock.ts';
import { explainChangeFailure, removePasskey, renamePasskey, type Passkey } from './security-api.ts';

type RowProps = { readonly passkey: Passkey; readonly onChanged: () => void; readonly onRemoved: () => void };

/** One passkey: what it is, and what can be done with it. */
export function PasskeyRow({ passkey, onChanged, onRemoved }: RowProps): ReactElement {
  const [mode, setMode] = useState<'shown' | 'renaming' | 'removing'>('shown');
  const renameButton = useRef<HTMLButtonElement>(null);
  const show = (): void => {
    setMode('shown');
    // The element that had the focus is gone.
    requestAnimationFrame(() => renameButton.current?.focus());
  };
  return (
    <li className="row">
      {mode === 'renaming' ? (
        <RenameForm passkey={passkey} onChanged={onChanged} onClose={show} />
      ) : (
        <div className="row-text">
          <p className="row-title">{passkey.name}</p>
          <p className="row-meta">{describePasskey(passkey)}</p>
        </div>
      )}
      {mode === 'shown' && (
        <div className="row-actions">
          <button
            ref={renameButton}
            type="button"
            className="button button-small"
            aria-label={`Rename ${passkey.name}`}
            onClick={() => setMode('renaming')}
          >
            Rename
          </button>
          <button
            type="button"
            className="button button-small"
            aria-label={`Remove ${passkey.name}`}
            onClick={() => setMode('removing')}
          >
            Remove
          </button>
        </div>
      )}
      {mode === 'removing' && <Removal passkey={passkey} onRemoved={onRemoved} onClose={show} />}
    </li>
  );
}

function describePasskey(passkey: Passkey): string {
  const { created_at: createdAt, last_used_at: lastUsedAt, backed_up: isSynced } = passkey;
  const use = lastUsedAt === null ? 'never used' : `last used ${formatAgo(lastUsedAt * 1_000, Date.now())}`;
  return `Added ${formatDay(createdAt * 1_000)} · ${use} · ${isSynced ? 'synced between devices' : 'on one device'}`;
}

type CloseProps = { readonly passkey: Passkey; readonly onClose: () => void };

function RenameForm({ passkey, onChanged, onClose }: CloseProps & Pick<RowProps, 'onChanged'>): ReactElement {
  const id = useId();
  const [name, setName] = useState(passkey.name);
  const call = useCall(async () => {
    await renamePasskey(passkey.id, name.trim());
    onChanged();
    onClose();
  }, explainChangeFailure);
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (call.state !== 'pending' && name.trim() !== '') call.start();
  };
  return (
    <form className="row-form-line" onSubmit={onSubmit}>
      <label className="visually-hidden" htmlFor={id}>
        New name of {passkey.name}
      </label>
      <div className="field-box">
        <input
          id={id}
          type="text"
          autoComplete="off"
          maxLength={64}
          // It takes the place of the button that was pressed.
          ref={focusOnAppearance}
          value={name}
          onChange={(event) => setName(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') onClose();
          }}
        />
      </div>
      <button type="submit" className="button button-primary" aria-disabled={call.state === 'pending'}>
        Save
      </button>
      <button type="button" className="button button-quiet" onClick={onClose}>
        Cancel
      </button>
      <p className="row-result" data-tone="bad" role="status">
        {call.failure}
      </p>
    </form>
  );
}

function Removal({ passkey, onRemoved, onClose }: CloseProps & Pick<RowProps, 'onRemoved'>): ReactElement {
  const call = useCall(
    async () => {
      await removePasskey(passkey);
      onRemoved();
    },
    (error) =>
      explainChangeFailure(error, {
        409: 'This is your only way to sign in. Add another passkey or a password first.',
      }),
  );
  const isPending = call.state === 'pending';
  return (
    <div className="row-question">
      <p>{call.failure === '' ? 'It will sign nobody in any more.' : call.failure}</p>
      <button
        type="button"
        className="button button-small button-danger"
        ref={focusOnAppearance}
        aria-disabled={isPending}
        data-busy={isPending}
        onClick={() => {
          if (!isPending) call.start();
        }}
      >
        {isPending ? 'Removing …' : 'Remove it'}
      </button>
      <button type="button" className="button button-small" onClick={onClose}>
        Keep it
      </button>
    </div>
  );
}
