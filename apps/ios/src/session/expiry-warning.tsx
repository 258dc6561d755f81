import { useExpiryWarning, type SignedInSession } from 'holdfast/react';
import type { ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';
import { Button } from '../design/button.tsx';
import { Notice, Outcome } from '../design/notice.tsx';
import { Words } from '../design/text.tsx';
import { space } from '../design/theme.ts';
import { formatCountdown } from './time.ts';
import { useExtension } from './use-extension.ts';

/** Warns before the session ends, with a way to keep it. */
export function ExpiryWarning({ session }: { readonly session: SignedInSession }): ReactElement | null {
  const warning = useExpiryWarning();
  const { start, report } = useExtension(session);
  if (warning === null) return <Outcome tone="good" text={report} />;
  return (
    <Notice
      tone={warning.secondsLeft <= 60 ? 'bad' : 'wait'}
      title="Your session is about to end"
      text={
        warning.isExtendable
          ? 'Extend it, and everything stays as it is.'
          : 'It has lasted as long as sessions do here: you will be asked to confirm it is you, and lose nothing.'
      }
    >
      <View style={styles.row}>
        {/* Ticks, and is no news: VoiceOver reads it when it is asked to. */}
        <Words as="figure" accessibilityLabel={`Time left: ${formatCountdown(warning.secondsLeft * 1_000)}`}>
          {formatCountdown(warning.secondsLeft * 1_000)}
        </Words>
        {warning.isExtendable && <Button label="Extend" kind="primary" isBusy={warning.isExtending} onPress={start} />}
      </View>
      <Outcome tone="wait" text={report} />
    </Notice>
  );
}

const styles = StyleSheet.create({
  row: {
    flexDirection: 'row',
    flexWrap: 'wrap',
    alignItems: 'center',
    justifyContent: 'space-between',
    gap: space.m,
    marginTop: space.s,
  },
});
