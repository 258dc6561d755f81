import type { ReactElement, ReactNode } from 'react';
import { StyleSheet, View } from 'react-native';
import { Words } from './text.tsx';
import { space, useTheme } from './theme.ts';

/** A titled part of a screen. */
export function Panel(props: {
  readonly title: string;
  /** One sentence below the title. */
  readonly lead?: string;
  readonly children: ReactNode;
}): ReactElement {
  const theme = useTheme();
  return (
    <View
      role="region"
      aria-label={props.title}
      style={[styles.panel, { backgroundColor: theme.surface, borderColor: theme.line }]}
    >
      <View style={styles.head}>
        <Words as="heading">{props.title}</Words>
        {props.lead !== undefined && (
          <Words as="note" color="inkSoft">
            {props.lead}
          </Words>
        )}
      </View>
      {props.children}
    </View>
  );
}

const styles = StyleSheet.create({
  panel: { borderWidth: StyleSheet.hairlineWidth, borderRadius: 14, padding: space.l, gap: space.m },
  head: { gap: space.xs },
});
