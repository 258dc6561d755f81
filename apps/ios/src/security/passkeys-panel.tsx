import { HoldfastError } from 'holdfast';
import { useAuth } from 'holdfast/react';
import { useState, type ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';
import { Button } from '../design/button.tsx';
import { Field } from '../design/field.tsx';
import { Outcome } from '../design/notice.tsx';
import { Panel } from '../design/panel.tsx';
import { Words } from '../design/text.tsx';
import { space } from '../design/theme.ts';
import { useCall, useLoaded } from '../session/call.ts';
import { forgetPasskey, rememberPasskeyUse } from '../session/known-passkey.ts';
import { addPasskey, explainPasskeyError, isPasskeySupported } from '../session/phone.ts';
import { LoadedList } from './loaded-list.tsx';
import { PasskeyRow } from './passkey-row.tsx';
import { explainChangeFailure, listPasskeys } from './security-api.ts';

/** As the server has it. */
const nameLength = 64;

/** The user's passkeys: add, rename, remove. */
export function PasskeysPanel({ sub }: { readonly sub: string | null }): ReactElement {
  const passkeys = useLoaded(listPasskeys, sub ?? 'this user');
  const onAdded = (): void => {
    rememberPasskeyUse();
    passkeys.reload();
  };
  const onRemoved = (): void => {
    if (passkeys.value?.length === 1) forgetPasskey();
    passkeys.reload();
  };
  return (
    <Panel title="Passkeys" lead="Sign in with Face ID or Touch ID. Nothing to type or to leak.">
      <LoadedList list={passkeys} title="Passkeys" empty="No passkey yet. Add one, and the password becomes the spare.">
        {(passkey) => (
          <PasskeyRow key={passkey.id} passkey={passkey} onChanged={passkeys.reload} onRemoved={onRemoved} />
        )}
      </LoadedList>
      {isPasskeySupported() ? (
        <Composer onAdded={onAdded} />
      ) : (
        <Words as="note" color="inkSoft">
          This device has no passkeys.
        </Words>
      )}
    </Panel>
  );
}

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
      return 'This phone has a passkey of yours already.';
    case 'unavailable':
      return 'This phone cannot make a passkey. Set up Face ID or Touch ID first.';
    case 'not-allowed-here':
      return 'The server does not name this app among those that belong to it.';
    case 'failed':
      return explainChangeFailure(error);
  }
}

function Composer({ onAdded }: { readonly onAdded: () => void }): ReactElement {
  const auth = useAuth();
  const [name, setName] = useState('My iPhone');
  const call = useCall(async () => {
    await addPasskey(auth, name.trim());
    onAdded();
  }, explainFailure);
  return (
    <View style={styles.composer}>
      <Field
        label="Name of the new passkey"
        value={name}
        onChangeText={setName}
        maxLength={nameLength}
        autoCapitalize="sentences"
      />
      <Button
        label="Add a passkey"
        kind="primary"
        isDisabled={name.trim() === ''}
        isBusy={call.state === 'pending'}
        onPress={call.start}
      />
      <Outcome
        tone={call.state === 'failed' ? 'bad' : 'good'}
        text={call.state === 'done' ? 'Added. Next time, sign in with it.' : call.failure}
      />
    </View>
  );
}

const styles = StyleSheet.create({ composer: { gap: space.s } });
