import type { ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';
import { useExpiryWarning } from 'holdfast/react';
import { Button } from '../design/button.tsx';
import { Notice } from '../design/notice.tsx';
import { Words } from '../design/text.tsx';
import { space } from '../design/theme.ts';
import { formatCountdown } from './time.ts';

/** Warns before the session ends, with a way to keep it. */
export function ExpiryWarning(): ReactElement | null {
  const warning = useExpiryWarning();
  if (warning === null) return null;
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
        {warning.isExtendable && (
          <Button label="Extend" kind="primary" isBusy={warning.isExtending} onPress={warning.extend} />
        )}
      </View>
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
