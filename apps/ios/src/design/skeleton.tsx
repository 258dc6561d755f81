import type { ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';
import { space, useTheme } from './theme.ts';

/** Where something will be. `label` says what is awaited. */
export function Skeleton({ label }: { readonly label: string }): ReactElement {
  const { sunken } = useTheme();
  return (
    <View accessible role="status" accessibilityLabel={label} style={styles.bones}>
      {([100, 60, 80] as const).map((width) => (
        <View key={width} style={[styles.bone, { width: `${width}%`, backgroundColor: sunken }]} />
      ))}
    </View>
  );
}

const styles = StyleSheet.create({
  bones: { gap: space.m, paddingVertical: space.s },
  bone: { height: 14, borderRadius: 7 },
});
