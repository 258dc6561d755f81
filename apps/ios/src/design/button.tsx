import type { ReactElement } from 'react';
import { ActivityIndicator, Pressable, StyleSheet } from 'react-native';
import { Words } from './text.tsx';
import { space, touchHeight, useTheme, type Theme } from './theme.ts';

type Kind = 'plain' | 'primary' | 'danger' | 'quiet';

const colorsOf = (
  kind: Kind,
  theme: Theme,
): { readonly ground: string; readonly edge: string; readonly ink: keyof Theme } => {
  switch (kind) {
    case 'plain':
      return { ground: theme.surface, edge: theme.lineStrong, ink: 'ink' };
    case 'primary':
      return { ground: theme.accent, edge: theme.accent, ink: 'onAccent' };
    case 'danger':
      return { ground: theme.surface, edge: theme.bad, ink: 'badInk' };
    case 'quiet':
      return { ground: 'transparent', edge: 'transparent', ink: 'accentInk' };
  }
};

/** Something to press. While it is busy it stays where it is and takes no second press. */
export function Button(props: {
  readonly label: string;
  readonly onPress: () => void;
  readonly kind?: Kind;
  readonly isBusy?: boolean;
  readonly isDisabled?: boolean;
  /** Says more than the label to those who do not see what is around it. */
  readonly accessibilityLabel?: string;
}): ReactElement {
  const { label, onPress, kind = 'plain', isBusy = false, isDisabled = false, accessibilityLabel } = props;
  const theme = useTheme();
  const { ground, edge, ink } = colorsOf(kind, theme);
  return (
    <Pressable
      role="button"
      accessibilityLabel={accessibilityLabel ?? label}
      accessibilityState={{ busy: isBusy, disabled: isDisabled || isBusy }}
      disabled={isDisabled || isBusy}
      onPress={onPress}
      style={({ pressed }) => [
        styles.button,
        { backgroundColor: ground, borderColor: edge },
        (pressed || isBusy || isDisabled) && styles.faded,
      ]}
    >
      {isBusy && <ActivityIndicator color={theme[ink]} size="small" />}
      <Words as="strong" color={ink} style={styles.label}>
        {label}
      </Words>
    </Pressable>
  );
}

const styles = StyleSheet.create({
  button: {
    minHeight: touchHeight,
    flexDirection: 'row',
    alignItems: 'center',
    justifyContent: 'center',
    gap: space.s,
    paddingHorizontal: space.l,
    paddingVertical: space.s,
    borderWidth: 1,
    borderRadius: 10,
  },
  label: { textAlign: 'center', flexShrink: 1 },
  faded: { opacity: 0.6 },
});
