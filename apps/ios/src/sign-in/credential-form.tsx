import { useRef, useState, type ReactElement } from 'react';
import { StyleSheet, View, type TextInput } from 'react-native';
import { Button } from '../design/button.tsx';
import { Field, PasswordField } from '../design/field.tsx';
import { Notice } from '../design/notice.tsx';
import { space } from '../design/theme.ts';
import type { SignInFailure } from './failure.ts';

/** User name and password. With `username` the name is there to be read. */
export function CredentialForm(props: {
  readonly username: string | null;
  readonly submitLabel: string;
  readonly isPrimary: boolean;
  readonly isPending: boolean;
  readonly failure: SignInFailure | null;
  readonly onSubmit: (username: string, password: string) => Promise<boolean>;
}): ReactElement {
  const { username, submitLabel, isPrimary, isPending, failure, onSubmit } = props;
  const [typedName, setTypedName] = useState('');
  const [password, setPassword] = useState('');
  const passwordInput = useRef<TextInput>(null);
  const name = username ?? typedName;
  const isComplete = name.trim() !== '' && password !== '';
  const submit = async (): Promise<void> => {
    if (isPending || !isComplete) return;
    if (!(await onSubmit(name.trim(), password))) passwordInput.current?.focus();
  };
  return (
    <View style={styles.form}>
      <Field
        label="User name"
        value={name}
        editable={username === null}
        onChangeText={setTypedName}
        autoComplete="username"
        textContentType="username"
        inputMode="email"
        returnKeyType="next"
        submitBehavior="submit"
        onSubmitEditing={() => passwordInput.current?.focus()}
      />
      <PasswordField
        value={password}
        onChange={setPassword}
        onSubmit={() => void submit()}
        isWrong={failure?.isCredentialWrong === true}
        inputRef={passwordInput}
      />
      {failure !== null && <Notice tone="bad" title={failure.title} text={failure.text} />}
      <Button
        label={submitLabel}
        kind={isPrimary ? 'primary' : 'plain'}
        isBusy={isPending}
        isDisabled={!isComplete}
        onPress={() => void submit()}
      />
    </View>
  );
}

const styles = StyleSheet.create({ form: { gap: space.m } });
