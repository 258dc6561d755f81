import type { SignIn } from 'holdfast/react';
import { useState, type ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';
import { Button } from '../design/button.tsx';
import { Notice } from '../design/notice.tsx';
import { Words } from '../design/text.tsx';
import { space } from '../design/theme.ts';
import { passkeyOfUser, rememberPasskeyUse } from '../session/known-passkey.ts';
import { isPasskeySupported } from '../session/phone.ts';
import { CredentialForm } from './credential-form.tsx';
import { explainPasskeyFailure, explainSignInFailure } from './failure.ts';

/** The ways in, the first one first: by passkey where one is known, by password. The same for signing in and signing in again. */
export function Ways(props: {
  readonly isPending: boolean;
  readonly error: Error | null;
  readonly submit: SignIn['signIn'];
  /** Whose session it is, where that is known. */
  readonly username: string | null;
  readonly isPasskeyFirst: boolean;
  readonly passwordLabel: string;
}): ReactElement {
  const { isPending, error, submit, username, isPasskeyFirst, passwordLabel } = props;
  const [way, setWay] = useState<'passkey' | 'password'>('password');
  const onPasskey = async (): Promise<void> => {
    setWay('passkey');
    if (await submit(passkeyOfUser())) rememberPasskeyUse();
  };
  const onPassword = (name: string, password: string): Promise<boolean> => {
    setWay('password');
    return submit({ username: name, password });
  };
  const form = (
    <CredentialForm
      username={username}
      submitLabel={passwordLabel}
      isPrimary={!isPasskeyFirst}
      isPending={isPending && way === 'password'}
      failure={error && way === 'password' ? explainSignInFailure(error) : null}
      onSubmit={onPassword}
    />
  );
  if (!isPasskeySupported()) return form;
  const failure = error && way === 'passkey' ? explainPasskeyFailure(error) : null;
  const passkey = (
    <View style={styles.group}>
      <Button
        label={isPasskeyFirst ? 'Use Face ID or passkey' : 'Sign in with a passkey'}
        kind={isPasskeyFirst ? 'primary' : 'plain'}
        isBusy={isPending && way === 'passkey'}
        onPress={() => void onPasskey()}
      />
      {failure !== null && <Notice tone="bad" title={failure.title} text={failure.text} />}
    </View>
  );
  return (
    <View style={styles.group}>
      {isPasskeyFirst ? passkey : form}
      <Words as="note" color="inkSoft" style={styles.or}>
        or
      </Words>
      {isPasskeyFirst ? form : passkey}
    </View>
  );
}

const styles = StyleSheet.create({ group: { gap: space.m }, or: { textAlign: 'center' } });
