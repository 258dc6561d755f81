import type { SignedOutReason } from 'holdfast';
import { useSignIn } from 'holdfast/react';
import { useEffect, type ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';
import { Brand } from '../design/brand.tsx';
import { Button } from '../design/button.tsx';
import { Notice } from '../design/notice.tsx';
import { Panel } from '../design/panel.tsx';
import { Screen } from '../design/screen.tsx';
import { Words } from '../design/text.tsx';
import { space } from '../design/theme.ts';
import { forgetProfile } from '../session/profile.ts';
import { explainSignedOut } from '../session/wording.ts';
import { Ways } from './ways.tsx';

/** The user that the demo's server creates. */
const demoCredential = { username: 'demo@holdfast.example', password: 'correct horse battery staple' };

/** The screen without a session: why there is none, and the ways to sign in. */
export function SignInScreen({ reason }: { readonly reason: SignedOutReason }): ReactElement {
  const { isPending, error, signIn } = useSignIn();
  const notice = explainSignedOut(reason);
  useEffect(forgetProfile, []);
  return (
    <Screen>
      <Brand />
      <View style={styles.intro}>
        <Words as="title">Sessions that hold.</Words>
        <Words color="inkSoft">
          The phone locks, the network goes, tokens expire. Holdfast renews the session once, parks what waits, and
          sends it again.
        </Words>
      </View>
      {notice !== null && <Notice tone={notice.tone} title={notice.title} text={notice.text} />}
      <Panel title="Sign in">
        <Ways
          isPending={isPending}
          error={error}
          submit={signIn}
          username={null}
          isPasskeyFirst={false}
          passwordLabel="Sign in"
        />
      </Panel>
      <Panel title="Demo account" lead={`${demoCredential.username}\n${demoCredential.password}`}>
        <Button label="Sign in with the demo account" isBusy={isPending} onPress={() => void signIn(demoCredential)} />
      </Panel>
    </Screen>
  );
}

const styles = StyleSheet.create({ intro: { gap: space.s } });
