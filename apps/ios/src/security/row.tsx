import type { ReactElement, ReactNode } from 'react';
import { StyleSheet, View } from 'react-native';
import { Words } from '../design/text.tsx';
import { space, useTheme } from '../design/theme.ts';

/** One of a list: what it is, and what can be done with it. */
export function Row(props: {
  readonly title: string;
  readonly badge?: ReactNode;
  readonly meta: readonly string[];
  readonly children?: ReactNode;
}): ReactElement {
  const { title, badge, meta, children } = props;
  const { line } = useTheme();
  return (
    <View role="listitem" style={[styles.row, { borderTopColor: line }]}>
      <View style={styles.title}>
        <Words as="strong">{title}</Words>
        {badge}
      </View>
      {meta.map((each) => (
        <Words key={each} as="note" color="inkSoft">
          {each}
        </Words>
      ))}
      {children}
    </View>
  );
}

/** Buttons side by side, as far as there is room. */
export const Actions = ({ children }: { readonly children: ReactNode }): ReactElement => (
  <View style={styles.actions}>{children}</View>
);

const styles = StyleSheet.create({
  row: { gap: space.xs, paddingVertical: space.m, borderTopWidth: StyleSheet.hairlineWidth },
  title: { flexDirection: 'row', flexWrap: 'wrap', alignItems: 'center', gap: space.s },
  actions: { flexDirection: 'row', flexWrap: 'wrap', gap: space.s, marginTop: space.xs },
});
