import { useState, type ReactElement } from 'react';
import { Button } from '../design/button.tsx';
import { Field } from '../design/field.tsx';
import { Outcome } from '../design/notice.tsx';
import { Words } from '../design/text.tsx';
import { useCall } from '../session/call.ts';
import { formatAgo, formatMoment } from '../session/time.ts';
import { Actions, Row } from './row.tsx';
import { explainChangeFailure, removePasskey, renamePasskey, type Passkey } from './security-api.ts';

type RowProps = { readonly passkey: Passkey; readonly onChanged: () => void; readonly onRemoved: () => void };

function describePasskey({ created_at: createdAt, last_used_at: lastUsedAt, backed_up: isSynced }: Passkey): string {
  const use = lastUsedAt === null ? 'never used' : `last used ${formatAgo(lastUsedAt * 1_000, Date.now())}`;
  return `Added ${formatMoment(createdAt * 1_000)} · ${use} · ${isSynced ? 'synced between devices' : 'on one device'}`;
}

/** One passkey: what it is, and what can be done with it. */
export function PasskeyRow({ passkey, onChanged, onRemoved }: RowProps): ReactElement {
  const [mode, setMode] = useState<'shown' | 'renaming' | 'removing'>('shown');
  const show = (): void => setMode('shown');
  return (
    <Row title={passkey.name} meta={[describePasskey(passkey)]}>
      {mode === 'shown' && (
        <Actions>
          <Button label="Rename" accessibilityLabel={`Rename ${passkey.name}`} onPress={() => setMode('renaming')} />
          <Button label="Remove" accessibilityLabel={`Remove ${passkey.name}`} onPress={() => setMode('removing')} />
        </Actions>
      )}
      {mode === 'renaming' && <RenameForm passkey={passkey} onChanged={onChanged} onClose={show} />}
      {mode === 'removing' && <Removal passkey={passkey} onRemoved={onRemoved} onClose={show} />}
    </Row>
  );
}

type FormProps = { readonly passkey: Passkey; readonly onClose: () => void };

function RenameForm({ passkey, onChanged, onClose }: FormProps & Pick<RowProps, 'onChanged'>): ReactElement {
  const [name, setName] = useState(passkey.name);
  const call = useCall(async () => {
    await renamePasskey(passkey.id, name.trim());
    onChanged();
    onClose();
  }, explainChangeFailure);
  return (
    <>
      <Field label={`New name of ${passkey.name}`} value={name} onChangeText={setName} maxLength={64} autoFocus />
      <Actions>
        <Button
          label="Save"
          kind="primary"
          isDisabled={name.trim() === ''}
          isBusy={call.state === 'pending'}
          onPress={call.start}
        />
        <Button label="Cancel" kind="quiet" onPress={onClose} />
      </Actions>
      <Outcome tone="bad" text={call.failure} />
    </>
  );
}

function Removal({ passkey, onRemoved, onClose }: FormProps & Pick<RowProps, 'onRemoved'>): ReactElement {
  const call = useCall(
    async () => {
      await removePasskey(passkey.id);
      onRemoved();
    },
    (error) =>
      explainChangeFailure(error, {
        409: 'This is your only way to sign in. Add another passkey or a password first.',
      }),
  );
  return (
    <>
      <Words as="note">It will sign nobody in any more.</Words>
      <Actions>
        <Button label="Remove it" kind="danger" isBusy={call.state === 'pending'} onPress={call.start} />
        <Button label="Keep it" onPress={onClose} />
      </Actions>
      <Outcome tone="bad" text={call.failure} />
    </>
  );
}
