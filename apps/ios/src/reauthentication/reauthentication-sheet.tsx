import { useReauthentication, type Reauthentication } from 'holdfast/react';
import { useEffect, useState, type ReactElement } from 'react';
import { Modal, StyleSheet, View } from 'react-native';
import { Button } from '../design/button.tsx';
import { Notice, useAnnouncement } from '../design/notice.tsx';
import { Screen } from '../design/screen.tsx';
import { Words } from '../design/text.tsx';
import { space } from '../design/theme.ts';
import { knowsPasskey } from '../session/known-passkey.ts';
import { isPasskeySupported } from '../session/phone.ts';
import { explainReauthentication } from '../session/wording.ts';
import { Ways } from '../sign-in/ways.tsx';

/** Asks the user to authenticate again when that is wanted. `username`: `null` if this phone does not know it. */
export function ReauthenticationSheet({ username }: { readonly username: string | null }): ReactElement | null {
  const asked = useReauthentication();
  const isConfirmation = asked?.reason === 'step-up';
  return (
    <Modal
      visible={asked !== null}
      animationType="slide"
      presentationStyle="pageSheet"
      onRequestClose={isConfirmation ? asked.cancel : undefined}
    >
      {asked && <Sheet asked={asked} username={username} />}
    </Modal>
  );
}

/** Over the screen that waits behind it: by passkey first where one is known. */
function Sheet({
  asked,
  username,
}: {
  readonly asked: Reauthentication;
  readonly username: string | null;
}): ReactElement {
  const isConfirmation = asked.reason === 'step-up';
  // As it was when the sheet opened: nothing moves while the user types.
  const [isPasskeyFirst] = useState(() => isPasskeySupported() && knowsPasskey(asked.user.sub));
  // Where no passkey is known, that stage is over before it begins; one can be used all the same.
  const { stage, skip, parkedRequests } = asked;
  useEffect(() => {
    if (stage === 'passkey' && !isPasskeyFirst) skip();
  }, [stage, skip, isPasskeyFirst]);
  const title = isConfirmation ? 'Confirm it is you' : 'Sign in to go on';
  useAnnouncement(title);
  return (
    <Screen>
      <View style={styles.head}>
        <Words as="title">{title}</Words>
        <Words color="inkSoft">
          {asked.reason === 'step-up'
            ? 'What you asked for needs a sign-in from the last few minutes. It goes on by itself afterwards.'
            : `${explainReauthentication(asked.reason)} Your screen is still here, and goes on where it was.`}
        </Words>
      </View>
      {!isConfirmation && parkedRequests > 0 && (
        <Notice
          tone="wait"
          title={parkedRequests === 1 ? '1 request is parked' : `${parkedRequests} requests are parked`}
          text="Sent as soon as you are back."
        />
      )}
      <Ways
        isPending={asked.isPending}
        error={asked.error}
        submit={asked.submit}
        username={username}
        isPasskeyFirst={isPasskeyFirst}
        passwordLabel={isConfirmation ? 'Confirm' : 'Sign in and go on'}
      />
      <Button label={isConfirmation ? 'Cancel' : 'Sign out instead'} kind="quiet" onPress={asked.cancel} />
    </Screen>
  );
}

const styles = StyleSheet.create({ head: { gap: space.s, paddingTop: space.l } });
