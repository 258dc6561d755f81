import { useEffect, useRef, type ReactElement, type ReactNode } from 'react';
import { ScrollView, StyleSheet, View } from 'react-native';
import { SafeAreaView } from 'react-native-safe-area-context';
import { space, useTheme } from './theme.ts';

/** A screen that scrolls, makes way for the keyboard, and stays within the phone's safe area. */
export function Screen(props: {
  readonly children: ReactNode;
  readonly footer?: ReactNode;
  /** Where one is: another place is shown from its top. */
  readonly place?: string;
}): ReactElement {
  const { children, footer, place } = props;
  const { paper } = useTheme();
  const scroller = useRef<ScrollView>(null);
  // oxlint-disable-next-line react/exhaustive-effect-dependencies -- it says when
  useEffect(() => scroller.current?.scrollTo({ y: 0, animated: false }), [place]);
  return (
    <SafeAreaView
      style={[styles.screen, { backgroundColor: paper }]}
      edges={footer === undefined ? ['top', 'left', 'right', 'bottom'] : ['top', 'left', 'right']}
    >
      <ScrollView
        ref={scroller}
        style={styles.screen}
        contentContainerStyle={styles.content}
        keyboardShouldPersistTaps="handled"
        automaticallyAdjustKeyboardInsets
      >
        <View style={styles.column}>{children}</View>
      </ScrollView>
      {footer}
    </SafeAreaView>
  );
}

const styles = StyleSheet.create({
  screen: { flex: 1 },
  content: { padding: space.l, paddingBottom: space.xxl },
  // An iPad, or the page in a browser.
  column: { width: '100%', maxWidth: 560, alignSelf: 'center', gap: space.l },
});
