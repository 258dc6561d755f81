import type { ReactElement, ReactNode } from 'react';
import { Platform, StyleSheet, Text, type TextProps, type TextStyle } from 'react-native';
import { useTheme, type Theme } from './theme.ts';

const styles = StyleSheet.create({
  title: { fontSize: 30, lineHeight: 36, fontWeight: '700', letterSpacing: -0.4 },
  heading: { fontSize: 19, lineHeight: 25, fontWeight: '650' as TextStyle['fontWeight'], letterSpacing: -0.2 },
  strong: { fontSize: 16, lineHeight: 22, fontWeight: '600' },
  body: { fontSize: 16, lineHeight: 23 },
  note: { fontSize: 14, lineHeight: 20 },
  figure: { fontSize: 28, lineHeight: 34, fontWeight: '600', fontVariant: ['tabular-nums'] },
  code: { fontSize: 14, lineHeight: 20, fontFamily: Platform.select({ ios: 'Menlo', default: 'monospace' }) },
});

/** Text in one of the app's sizes. It grows with the size that the user has chosen for the phone (Dynamic Type). */
export function Words(
  props: Omit<TextProps, 'children'> & {
    readonly as?: keyof typeof styles;
    readonly color?: keyof Theme;
    readonly children: ReactNode;
  },
): ReactElement {
  const { as = 'body', color = 'ink', style, ...rest } = props;
  const theme = useTheme();
  const isHeading = as === 'title' || as === 'heading';
  return (
    <Text
      {...(isHeading ? { role: 'heading' as const } : {})}
      {...rest}
      style={[styles[as], { color: theme[color] }, style]}
    />
  );
}
