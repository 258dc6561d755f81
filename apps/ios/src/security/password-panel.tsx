import { useState, type ReactElement } from 'react';
import { StyleSheet, Switch, View } from 'react-native';
import { Button } from '../design/button.tsx';
import { PasswordField } from '../design/field.tsx';
import { Outcome } from '../design/notice.tsx';
import { Panel } from '../design/panel.tsx';
import { Words } from '../design/text.tsx';
import { space, useTheme } from '../design/theme.ts';
import { useCall } from '../session/call.ts';
import { changePassword, explainChangeFailure } from './security-api.ts';

/** A new password in the place of the old one. */
export function PasswordPanel(): ReactElement {
  const { accent } = useTheme();
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
  const isRefused = call.state === 'failed';
  return (
    <Panel title="Password" lead="The old one is not asked for: a sign-in from the last few minutes stands for it.">
      <PasswordField value={password} onChange={setPassword} isNew isWrong={isRefused} />
      <View style={styles.choice}>
        <Words style={styles.choiceText} aria-hidden>
          Sign out everywhere else
        </Words>
        <Switch
          accessibilityLabel="Sign out everywhere else"
          value={endsOthers}
          onValueChange={setEndsOthers}
          trackColor={{ true: accent }}
        />
      </View>
      <Button
        label="Change password"
        isDisabled={password === ''}
        isBusy={call.state === 'pending'}
        onPress={call.start}
      />
      <Outcome tone={isRefused ? 'bad' : 'good'} text={call.state === 'done' ? 'Changed.' : call.failure} />
    </Panel>
  );
}

const styles = StyleSheet.create({
  choice: { flexDirection: 'row', alignItems: 'center', justifyContent: 'space-between', gap: space.m },
  choiceText: { flexShrink: 1 },
});
