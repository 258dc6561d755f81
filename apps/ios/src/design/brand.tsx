import type { ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';
import { Words } from './text.tsx';
import { space, useTheme } from './theme.ts';

/** The mark: an H whose bar is a rope made fast to two posts. */
export function Brand(): ReactElement {
  const { accent } = useTheme();
  return (
    <View style={styles.brand} accessible accessibilityLabel="Holdfast">
      <View style={styles.mark}>
        <View style={[styles.post, { backgroundColor: accent }]} />
        <View style={[styles.rope, { backgroundColor: accent }]} />
        <View style={[styles.post, { backgroundColor: accent }]} />
      </View>
      <Words as="strong">Holdfast</Words>
    </View>
  );
}

const styles = StyleSheet.create({
  brand: { flexDirection: 'row', alignItems: 'center', gap: space.s },
  mark: { flexDirection: 'row', alignItems: 'center' },
  post: { width: 3, height: 22, borderRadius: 2 },
  rope: { width: 14, height: 3, marginHorizontal: -2, borderRadius: 2, transform: [{ rotate: '-28deg' }] },
});
