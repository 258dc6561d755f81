import type { ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';
import { Button } from '../design/button.tsx';
import { Panel } from '../design/panel.tsx';
import { Words } from '../design/text.tsx';
import { space, toneColors, useTheme } from '../design/theme.ts';
import { clearEventLog, useEventLog } from './event-log.ts';
import { tellStory, type LogLine } from './story.ts';

const maxLines = 30;

/** The session's events, in plain words, as they happen. */
export function EventLogPanel(): ReactElement {
  const entries = useEventLog();
  return (
    <Panel title="Event log" lead="Every step of the session, newest first.">
      {entries.length === 0 ? (
        <Words color="inkSoft">Nothing has happened yet.</Words>
      ) : (
        <View role="list" aria-label="Events" style={styles.lines}>
          {tellStory(entries)
            .slice(-maxLines)
            .toReversed()
            .map((line) => (
              <Line key={line.id} line={line} />
            ))}
        </View>
      )}
      <Button label="Clear" kind="quiet" isDisabled={entries.length === 0} onPress={clearEventLog} />
    </Panel>
  );
}

function Line({ line: { tone, text, atMs } }: { readonly line: LogLine }): ReactElement {
  const theme = useTheme();
  const mark = tone === 'plain' ? theme.lineStrong : toneColors(theme, tone).mark;
  return (
    <View role="listitem" accessible style={[styles.line, { borderLeftColor: mark }]}>
      <Words as="code" color="inkSoft">
        {new Date(atMs).toLocaleTimeString('en-GB')}
      </Words>
      <Words as="note">{text}</Words>
    </View>
  );
}

const styles = StyleSheet.create({
  lines: { gap: space.m },
  line: { borderLeftWidth: 3, paddingLeft: space.m },
});
