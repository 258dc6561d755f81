import type { ReactElement } from 'react';
import { Pressable, StyleSheet, View } from 'react-native';
import { useSafeAreaInsets } from 'react-native-safe-area-context';
import { Words } from '../design/text.tsx';
import { touchHeight, useTheme } from '../design/theme.ts';

const labels = { notes: 'Notes', session: 'Session', security: 'Security' } as const;

/** The part of the app that is shown. */
export type Tab = keyof typeof labels;

/** Where one is, and where else one can go. */
export function TabBar({
  current,
  onChange,
}: {
  readonly current: Tab;
  readonly onChange: (tab: Tab) => void;
}): ReactElement {
  const theme = useTheme();
  const { bottom } = useSafeAreaInsets();
  return (
    <View
      role="tablist"
      style={[styles.bar, { backgroundColor: theme.surface, borderTopColor: theme.line, paddingBottom: bottom }]}
    >
      {(Object.keys(labels) as Tab[]).map((tab) => (
        <Pressable
          key={tab}
          role="tab"
          accessibilityLabel={labels[tab]}
          aria-selected={tab === current}
          onPress={() => onChange(tab)}
          style={[styles.tab, { borderTopColor: tab === current ? theme.accent : 'transparent' }]}
        >
          <Words as="strong" color={tab === current ? 'accentInk' : 'inkSoft'}>
            {labels[tab]}
          </Words>
        </Pressable>
      ))}
    </View>
  );
}

const styles = StyleSheet.create({
  bar: { flexDirection: 'row', borderTopWidth: StyleSheet.hairlineWidth },
  tab: { flex: 1, minHeight: touchHeight + 8, alignItems: 'center', justifyContent: 'center', borderTopWidth: 2 },
});
