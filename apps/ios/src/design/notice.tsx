import { useEffect, type ReactElement, type ReactNode } from 'react';
import { AccessibilityInfo, StyleSheet, View } from 'react-native';
import { Words } from './text.tsx';
import { space, toneColors, useTheme, type Theme, type Tone } from './theme.ts';

const inks: Readonly<Record<Tone, keyof Theme>> = { good: 'accentInk', wait: 'waitInk', bad: 'badInk' };

/** Says aloud what comes up on the screen, where VoiceOver would not look by itself. */
export function useAnnouncement(text: string | null): void {
  useEffect(() => {
    if (text !== null) AccessibilityInfo.announceForAccessibility(text);
  }, [text]);
}

/** Something that the user should know, announced when it appears. */
export function Notice(props: {
  readonly tone: Tone;
  readonly title: string;
  readonly text: string;
  readonly children?: ReactNode;
}): ReactElement {
  const { tone, title, text, children } = props;
  const theme = useTheme();
  const { wash, mark } = toneColors(theme, tone);
  useAnnouncement(`${title}. ${text}`);
  return (
    <View
      role={tone === 'bad' ? 'alert' : 'status'}
      style={[styles.notice, { backgroundColor: wash, borderLeftColor: mark }]}
    >
      <Words as="strong" color={inks[tone]}>
        {title}
      </Words>
      <Words as="note" color={inks[tone]}>
        {text}
      </Words>
      {children}
    </View>
  );
}

/** One line of what came of something: empty while there is nothing to say. */
export function Outcome({ tone, text }: { readonly tone: Tone; readonly text: string }): ReactElement | null {
  useAnnouncement(text === '' ? null : text);
  if (text === '') return null;
  return (
    <Words as="note" color={inks[tone]} role="status">
      {text}
    </Words>
  );
}

/** A word about the state of something. */
export function Pill({ tone, label }: { readonly tone: Tone; readonly label: string }): ReactElement {
  const { wash } = toneColors(useTheme(), tone);
  return (
    <View style={[styles.pill, { backgroundColor: wash }]}>
      <Words as="note" color={inks[tone]} style={styles.pillText}>
        {label}
      </Words>
    </View>
  );
}

const styles = StyleSheet.create({
  notice: { borderLeftWidth: 3, borderRadius: 8, padding: space.m, gap: space.xs },
  pill: { borderRadius: 999, paddingHorizontal: 10, paddingVertical: 2 },
  pillText: { fontWeight: '600' },
});
