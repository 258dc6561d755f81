import { useAuth, type SignedInSession } from 'holdfast/react';
import { useState, type ReactElement, type ReactNode } from 'react';
import { StyleSheet, View } from 'react-native';
import { Button } from '../design/button.tsx';
import { Outcome } from '../design/notice.tsx';
import { Panel } from '../design/panel.tsx';
import { Words } from '../design/text.tsx';
import { space, useTheme, type Theme } from '../design/theme.ts';
import { useCall } from '../session/call.ts';
import { api } from '../session/session.ts';
import { burstSize, useBurst, type BurstResult, type CellState } from './use-burst.ts';

/** Things that go wrong in every session, at the press of a button. */
export function TrialsPanel({ session }: { readonly session: SignedInSession }): ReactElement {
  return (
    <Panel title="Try to break it" lead="Each of these is real: the server is told, and the app is not.">
      <ExpiryTrial tokenNumber={session.status === 'active' ? session.tokenNumber : 0} />
      <BurstTrial />
      <RevocationTrial sid={session.status === 'active' ? session.sid : null} />
    </Panel>
  );
}

/** Something to try: what it does, a button, and what came of it. */
function Trial(props: {
  readonly title: string;
  readonly explanation: string;
  readonly buttonLabel: string;
  readonly isBusy: boolean;
  readonly onRun: () => void;
  readonly isDangerous?: boolean;
  readonly children: ReactNode;
}): ReactElement {
  const { line } = useTheme();
  return (
    <View style={[styles.trial, { borderTopColor: line }]}>
      <Words as="strong">{props.title}</Words>
      <Words as="note" color="inkSoft">
        {props.explanation}
      </Words>
      <Button
        label={props.buttonLabel}
        kind={props.isDangerous === true ? 'danger' : 'plain'}
        isBusy={props.isBusy}
        onPress={props.onRun}
      />
      {props.children}
    </View>
  );
}

function ExpiryTrial({ tokenNumber }: { readonly tokenNumber: number }): ReactElement {
  const [expired, setExpired] = useState(0);
  const call = useCall(async () => {
    await api.post('demo/expire-access-token');
    setExpired(tokenNumber);
  });
  const done =
    expired === tokenNumber
      ? 'Done. The app does not know yet: add a note, or fire the requests below.'
      : 'Renewed. A new access token has taken its place.';
  return (
    <Trial
      title="Let the access token expire"
      explanation="The server refuses it from now on. Your next request is answered 401; Holdfast refreshes once and sends it again."
      buttonLabel="Let it expire"
      isBusy={call.state === 'pending'}
      onRun={call.start}
    >
      <Outcome tone={call.state === 'failed' ? 'bad' : 'good'} text={call.state === 'done' ? done : call.failure} />
    </Trial>
  );
}

const cellColors: Readonly<Record<CellState, keyof Theme>> = {
  idle: 'sunken',
  sent: 'lineStrong',
  parked: 'wait',
  again: 'wait',
  done: 'accent',
  failed: 'bad',
};

const cellWords: Readonly<Record<CellState, string>> = {
  idle: 'not sent',
  sent: 'sent',
  parked: 'waiting',
  again: 'sent again',
  done: 'done',
  failed: 'failed',
};

/** A state shows without its colour as well. */
const cellGlyphs: Readonly<Record<CellState, string>> = {
  idle: '',
  sent: '↑',
  parked: '…',
  again: '↻',
  done: '✓',
  failed: '✕',
};

/** States that fill their cell; the others draw its edge alone. */
const filled: ReadonlySet<CellState> = new Set(['parked', 'done', 'failed']);

function Cell({ state }: { readonly state: CellState }): ReactElement {
  const theme = useTheme();
  const color = theme[cellColors[state]];
  const isFilled = filled.has(state);
  return (
    <View style={[styles.cell, { borderColor: color, backgroundColor: isFilled ? color : 'transparent' }]}>
      <Words as="note" color={isFilled ? 'onAccent' : 'ink'} style={styles.glyph} allowFontScaling={false}>
        {cellGlyphs[state]}
      </Words>
    </View>
  );
}

/** Explains the glyphs. */
function Legend(): ReactElement {
  return (
    <View style={styles.legend} accessibilityElementsHidden importantForAccessibility="no-hide-descendants">
      {(['sent', 'parked', 'again', 'done', 'failed'] as const).map((state) => (
        <View key={state} style={styles.legendEntry}>
          <Cell state={state} />
          <Words as="note" color="inkSoft">
            {cellWords[state]}
          </Words>
        </View>
      ))}
    </View>
  );
}

function BurstTrial(): ReactElement {
  const { cells, isRunning, result, fire } = useBurst();
  const count = (state: CellState): number => cells.filter((cell) => cell === state).length;
  return (
    <Trial
      title={`Fire ${burstSize} requests at once`}
      explanation="Let the access token expire first: all of them are refused, one refresh is made, and all are sent again."
      buttonLabel={isRunning ? 'Under way …' : `Fire ${burstSize} requests`}
      isBusy={isRunning}
      onRun={fire}
    >
      <View
        accessible
        role="img"
        accessibilityLabel={`${count('done')} of ${burstSize} requests done, ${count('parked')} waiting, ${count('again')} sent again, ${count('failed')} failed`}
        style={styles.cells}
      >
        {cells.map((state, index) => (
          // oxlint-disable-next-line react/no-array-index-key -- a cell is its place
          <Cell key={index} state={state} />
        ))}
      </View>
      <Legend />
      <Outcome
        tone={result && result.done < burstSize ? 'bad' : 'good'}
        text={result === null ? '' : describe(result)}
      />
    </Trial>
  );
}

function describe({ done, durationMs, refreshes }: BurstResult): string {
  const count = refreshes === 1 ? '1 refresh' : `${refreshes === 0 ? 'no' : refreshes} refreshes`;
  return `${done} of ${burstSize} answered in ${Math.round(durationMs)} ms. This app sent ${count}.`;
}

function RevocationTrial({ sid }: { readonly sid: string | null }): ReactElement {
  const auth = useAuth();
  const [revokedSid, setRevokedSid] = useState<string | null>(null);
  const call = useCall(async () => {
    await api.post('demo/revoke-session');
    const now = auth.getSnapshot();
    setRevokedSid(now.status === 'active' ? now.sid : null);
  });
  const isRevoked = sid !== null && sid === revokedSid;
  return (
    <Trial
      title="Revoke on the server"
      explanation="Ends this session for good. The access token lives on to its expiry; the next refresh is rejected, and you are asked to sign in again."
      buttonLabel="Revoke"
      isDangerous
      isBusy={call.state === 'pending'}
      onRun={call.start}
    >
      <Outcome
        tone={call.state === 'failed' ? 'bad' : 'good'}
        text={isRevoked ? 'Revoked. Nothing has changed here yet.' : call.failure}
      />
      {isRevoked && <Button label="Refresh now" kind="quiet" onPress={auth.extend} />}
    </Trial>
  );
}

const styles = StyleSheet.create({
  trial: { gap: space.s, paddingTop: space.m, borderTopWidth: StyleSheet.hairlineWidth },
  // Two rows of ten.
  cells: { flexDirection: 'row', flexWrap: 'wrap', gap: 5, paddingVertical: space.xs, maxWidth: 270 },
  cell: { width: 22, height: 22, borderRadius: 5, borderWidth: 1, alignItems: 'center', justifyContent: 'center' },
  glyph: { fontSize: 13, lineHeight: 16, fontWeight: '700' },
  legend: { flexDirection: 'row', flexWrap: 'wrap', columnGap: space.m, rowGap: space.xs },
  legendEntry: { flexDirection: 'row', alignItems: 'center', gap: 6 },
});
