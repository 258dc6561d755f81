import type { SignedInSession } from 'holdfast/react';
import { useState, type ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';
import { Button } from '../design/button.tsx';
import { Field } from '../design/field.tsx';
import { Notice } from '../design/notice.tsx';
import { Panel } from '../design/panel.tsx';
import { Skeleton } from '../design/skeleton.tsx';
import { Words } from '../design/text.tsx';
import { space, useTheme } from '../design/theme.ts';
import { useReach } from '../session/network.ts';
import { formatMoment } from '../session/time.ts';
import { useNotes, type Draft, type Notes } from './use-notes.ts';

/** As the API has it. */
const maxLength = 2_000;

/** How many notes are shown before the rest is asked for. */
const firstShown = 8;

/** An ordinary part of an ordinary app: it knows nothing of tokens. */
export function NotesScreen({ session }: { readonly session: SignedInSession }): ReactElement {
  const { parkedRequests, status } = session;
  const notes = useNotes();
  const reach = useReach();
  const isOnline = reach !== 'offline';
  const isWaitingForSession = parkedRequests > 0 || status === 'reauthentication-required';
  const isOutOfReach = reach === 'silent' || (session.status === 'active' && session.freshness === 'offline');
  const waitsForServer = isOutOfReach ? 'server' : null;
  const waitsFor = !isOnline ? 'network' : isWaitingForSession ? 'session' : waitsForServer;
  return (
    <Panel title="Notes" lead="An ordinary app on an ordinary API. It knows nothing of tokens.">
      <Composer onAdd={notes.add} />
      <Waiting parkedRequests={parkedRequests} isOnline={isOnline} />
      {notes.drafts.map((draft) => (
        <DraftRow key={draft.key} draft={draft} notes={notes} waitsFor={waitsFor} />
      ))}
      <LoadedNotes notes={notes} />
    </Panel>
  );
}

/** Says what requests wait for. */
function Waiting(props: { readonly parkedRequests: number; readonly isOnline: boolean }): ReactElement | null {
  const { parkedRequests: count, isOnline } = props;
  const waiting = `${count === 1 ? '1 request waits' : `${count} requests wait`} for the ${isOnline ? 'session' : 'network'}`;
  if (!isOnline)
    return (
      <Notice
        tone="wait"
        title="You are offline"
        text={`Write on: it waits here, and goes through when you are back.${count > 0 ? ` ${waiting}.` : ''}`}
      />
    );
  return count > 0 ? <Notice tone="wait" title={waiting} text="Sent as soon as the session is renewed." /> : null;
}

function Composer({ onAdd }: { readonly onAdd: (text: string) => void }): ReactElement {
  const [text, setText] = useState('');
  const add = (): void => {
    if (text.trim() === '') return;
    onAdd(text.trim());
    setText('');
  };
  return (
    <View style={styles.composer}>
      <Field
        label="New note"
        value={text}
        onChangeText={setText}
        maxLength={maxLength}
        placeholder="Write a note"
        autoCapitalize="sentences"
        autoCorrect
        returnKeyType="done"
        onSubmitEditing={add}
      />
      <Button label="Add" kind="primary" isDisabled={text.trim() === ''} onPress={add} />
    </View>
  );
}

function LoadedNotes({ notes: { notes, failure, drafts, reload } }: { readonly notes: Notes }): ReactElement | null {
  const [isAllShown, setAllShown] = useState(false);
  if (failure !== null)
    return (
      <Notice tone="bad" title="The notes could not be loaded" text={failure}>
        <Button label="Try again" onPress={reload} />
      </Notice>
    );
  if (notes === null) return <Skeleton label="The notes are loading" />;
  if (notes.length === 0)
    return drafts.length > 0 ? null : <Words color="inkSoft">No notes yet. Write the first one.</Words>;
  const shown = isAllShown ? notes : notes.slice(0, firstShown);
  return (
    <View role="list" aria-label="Notes">
      {shown.map(({ id, text, createdAt }) => (
        <Row key={id} text={text} meta={formatMoment(Date.parse(createdAt))} />
      ))}
      {notes.length > firstShown && (
        <Button
          label={isAllShown ? 'Show fewer' : `Show all ${notes.length}`}
          kind="quiet"
          onPress={() => setAllShown(!isAllShown)}
        />
      )}
    </View>
  );
}

function Row({ text, meta }: { readonly text: string; readonly meta: string }): ReactElement {
  const theme = useTheme();
  return (
    <View role="listitem" style={[styles.row, { borderTopColor: theme.line }]}>
      <Words>{text}</Words>
      <Words as="note" color="inkSoft">
        {meta}
      </Words>
    </View>
  );
}

/** The cause of a note’s wait; `null`: it is being sent. */
type WaitsFor = 'network' | 'session' | 'server' | null;

const wayWords: Readonly<Record<NonNullable<WaitsFor>, string>> = {
  network: 'Waiting for the network',
  session: 'Waiting for the session',
  server: 'Waiting for the server',
};

function DraftRow(props: { readonly draft: Draft; readonly notes: Notes; readonly waitsFor: WaitsFor }): ReactElement {
  const { draft, notes, waitsFor } = props;
  if (draft.failure === null)
    return <Row text={draft.text} meta={waitsFor === null ? 'Sending …' : wayWords[waitsFor]} />;
  return (
    <Notice tone="bad" title={draft.text} text={draft.failure}>
      <View style={styles.actions}>
        <Button label="Try again" onPress={() => notes.retry(draft)} />
        <Button label="Discard" kind="quiet" onPress={() => notes.discard(draft)} />
      </View>
    </Notice>
  );
}

const styles = StyleSheet.create({
  composer: { gap: space.s },
  row: { paddingVertical: space.m, gap: 2, borderTopWidth: StyleSheet.hairlineWidth },
  actions: { flexDirection: 'row', flexWrap: 'wrap', gap: space.s, marginTop: space.s },
});
