import { isPasskeySupported } from 'holdfast/web';
import type { ReactElement } from 'react';
import { Panel } from '../design/panel.tsx';
import { rememberPasskey } from '../session/known-passkey.ts';
import { LoadedList } from './loaded-list.tsx';
import { PasskeyComposer } from './passkey-composer.tsx';
import { PasskeyRow } from './passkey-row.tsx';
import { listPasskeys } from './security-api.ts';
import { useLoaded } from './use-loaded.ts';

/** The user's passkeys: add, rename, remove. */
export function PasskeysPanel({ sub }: { readonly sub: string | null }): ReactElement {
  const passkeys = useLoaded(listPasskeys, sub ?? 'this user');
  const onAdded = (): void => {
    rememberPasskey(sub);
    passkeys.reload();
  };
  const onRemoved = (): void => {
    if (passkeys.value?.length === 1) rememberPasskey(null);
    passkeys.reload();
  };
  return (
    <Panel
      title="Passkeys"
      lead="Sign in with your fingerprint, your face or your device’s PIN. Nothing to type or to leak."
    >
      <LoadedList list={passkeys} title="Passkeys" empty="No passkey yet. Add one, and the password becomes the spare.">
        {(passkey) => (
          <PasskeyRow key={passkey.id} passkey={passkey} onChanged={passkeys.reload} onRemoved={onRemoved} />
        )}
      </LoadedList>
      {isPasskeySupported() ? (
        <PasskeyComposer onAdded={onAdded} />
      ) : (
        <p className="hint">This browser has no passkeys. Open the page in another one to add one.</p>
      )}
    </Panel>
  );
}
