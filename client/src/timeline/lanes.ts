import type { Observation } from '../index.ts';
import type { TimelineEntry } from './entry.ts';
import type { Lane, Span, SpanKind, SpanTone } from './span.ts';
import { countOf, formatDuration, tellAdoption, tellCause, tellFailure } from './wording.ts';

// Turns observations into lanes for the panel. It uses no clock and no DOM.

type Of<Type extends Observation['type']> = Extract<Observation, { readonly type: Type }>;

/** A refresh that has not ended. */
type OpenRefresh = {
  readonly fromMs: number;
  readonly start: Of<'refresh.started'>;
  sentMs: number | null;
  joined: number;
};

/** A lane during the reading of its entries, oldest first. */
type Draft = {
  readonly tab: string;
  readonly session: Span[];
  readonly refreshes: Span[];
  readonly requests: Span[];
  refresh: OpenRefresh | null;
  backoff: Span | null;
  reauthentication: { readonly fromMs: number; readonly ask: Of<'reauthentication.required'> } | null;
  readonly parked: Map<number, number>;
  isAdopting: boolean;
  hasSession: boolean;
  sent: number;
};

/** Shorter waits for the lock are not shown. */
const LOCK_WAIT_MIN_MS = 10;

/** Joins requests that were released, or failed, within this time into one bar. */
const TOGETHER_MS = 50;

/** Joins requests that were sent again with one token within this time into one mark. */
const RESENT_MS = 2_000;

function makeSpan(
  draft: Draft,
  kind: SpanKind,
  tone: SpanTone,
  [fromMs, toMs]: readonly [number, number | null],
  [title, text]: readonly [string, string],
  count = 1,
): Span {
  const id = `${draft.tab} ${kind} ${fromMs} ${title}`;
  return { id, kind, tone, fromMs, toMs, title, text, count, handover: null };
}

function endRefresh(
  draft: Draft,
  atMs: number | null,
  tone: SpanTone,
  how: string,
  handover: Span['handover'] = null,
): void {
  const { refresh } = draft;
  if (!refresh) return;
  const { fromMs, start, sentMs, joined } = refresh;
  const sent = sentMs === null ? 'Nothing was sent.' : `Sent after ${formatDuration(sentMs - fromMs)}.`;
  const waited = joined === 0 ? '' : ` ${countOf(joined, 'request')} waited for it.`;
  const text = `Because ${tellCause(start.cause)}. ${sent} ${how}${waited}`;
  const span = makeSpan(draft, 'refresh', tone, [fromMs, atMs], [`Refresh ${start.attempt}`, text]);
  draft.refreshes.push({ ...span, handover });
  draft.refresh = null;
}

/** Ends the wait for the next try, at the latest when the next refresh starts. */
function endBackoff(draft: Draft, atMs: number): void {
  const { backoff } = draft;
  if (!backoff) return;
  draft.refreshes.push({ ...backoff, toMs: Math.min(atMs, backoff.toMs ?? atMs) });
  draft.backoff = null;
}

function endReauthentication(draft: Draft, atMs: number | null, tone: SpanTone, how: string): void {
  const { reauthentication } = draft;
  if (!reauthentication) return;
  const { fromMs, ask } = reauthentication;
  const why = ask.reason === 'step-up' ? 'An API wanted a fresh sign-in' : `The session had ended (${ask.reason})`;
  const title = `Reauthentication by ${ask.stage}`;
  draft.session.push(makeSpan(draft, 'reauthentication', tone, [fromMs, atMs], [title, `${why}. ${how}`]));
  draft.reauthentication = null;
}

function readRefresh(draft: Draft, atMs: number, event: Of<`refresh.${string}` & Observation['type']>): void {
  switch (event.type) {
    case 'refresh.started':
      endRefresh(draft, atMs, 'plain', 'Given up when another began.');
      endBackoff(draft, atMs);
      draft.refresh = { fromMs: atMs, start: event, sentMs: null, joined: 0 };
      return;
    case 'refresh.locked': {
      if (event.waitedMs < LOCK_WAIT_MIN_MS) return;
      const text = `Another tab had it. After ${formatDuration(event.waitedMs)} the refresh went ahead.`;
      const span = makeSpan(draft, 'lock', 'wait', [atMs - event.waitedMs, atMs], ['Wait for the lock', text]);
      draft.refreshes.push(span);
      return;
    }
    case 'refresh.joined':
      if (draft.refresh) draft.refresh.joined++;
      return;
    case 'refresh.sent':
      draft.sent++;
      if (draft.refresh) draft.refresh.sentMs ??= atMs;
      return;
    case 'refresh.adopted':
      return endRefresh(draft, atMs, 'good', 'Not needed: another tab had done it.', 'takes');
    case 'refresh.succeeded':
      return endRefresh(
        draft,
        atMs,
        'good',
        `Succeeded after ${formatDuration(event.durationMs)}; the refresh token was ${event.isRotated ? 'rotated' : 'kept'}.`,
        'gives',
      );
    case 'refresh.failed': {
      endRefresh(draft, atMs, 'wait', `Failed: ${tellFailure(event.cause)}. The session stays.`);
      const isAsked = event.cause === 'rate-limited';
      const title = isAsked ? 'Wait that the server asked for (429)' : 'Wait before the next try';
      const text = `${formatDuration(event.retryInMs)}, because ${tellFailure(event.cause)}.`;
      draft.backoff = makeSpan(draft, 'backoff', 'wait', [atMs, atMs + event.retryInMs], [title, text]);
      return;
    }
    case 'refresh.rejected':
      return draft.hasSession
        ? endRefresh(draft, atMs, 'bad', `Rejected: ${event.reason}.`)
        : endRefresh(draft, atMs, 'plain', 'Nobody was signed in.');
  }
}

/** Adds a moment. Counts it with the previous one if both have the same text and are at most `togetherMs` apart. */
function pushMoment(spans: Span[], span: Span, togetherMs: number, titleOf: (count: number) => string): void {
  const last = spans.at(-1);
  if (last?.kind !== span.kind || last.text !== span.text || span.fromMs - last.fromMs > togetherMs) {
    spans.push({ ...span, title: titleOf(span.count) });
    return;
  }
  const count = last.count + span.count;
  spans[spans.length - 1] = { ...last, count, title: titleOf(count) };
}

/** Ends the wait of a parked request. Joins it with requests that had the same outcome at the same time. */
function endParked(draft: Draft, atMs: number, caller: number, outcome: string, tone: SpanTone): void {
  const fromMs = draft.parked.get(caller);
  draft.parked.delete(caller);
  if (fromMs === undefined) return;
  const at = draft.requests.findLastIndex(
    (span) => span.kind === 'parked' && span.tone === tone && Math.abs((span.toMs ?? 0) - atMs) <= TOGETHER_MS,
  );
  const before = draft.requests[at];
  const from = Math.min(fromMs, before?.fromMs ?? fromMs);
  const count = (before?.count ?? 0) + 1;
  const texts = [
    `${countOf(count, 'request')} parked`,
    `${outcome} after ${formatDuration(atMs - from)} at most.`,
  ] as const;
  const span = makeSpan(draft, 'parked', tone, [from, atMs], texts, count);
  if (before) draft.requests[at] = { ...span, id: before.id };
  else draft.requests.push(span);
}

function readRequest(
  draft: Draft,
  atMs: number,
  event: Of<'token.refused' | (`request.${string}` & Observation['type'])>,
): void {
  const { requests } = draft;
  switch (event.type) {
    case 'request.parked':
      draft.parked.set(event.caller, atMs);
      return;
    case 'request.released':
      return endParked(draft, atMs, event.caller, 'Went on with an access token', 'good');
    case 'request.failed': {
      if (event.code === 'step-up-declined') endReauthentication(draft, atMs, 'wait', 'Declined; the session goes on.');
      return endParked(draft, atMs, event.caller, `Not sent (${event.code})`, 'bad');
    }
    case 'request.resent': {
      const text = `Sent again with access token ${event.tokenNumber}, after a 401.`;
      const span = makeSpan(draft, 'resent', 'good', [atMs, atMs], ['', text]);
      return pushMoment(requests, span, RESENT_MS, (count) => `${countOf(count, 'request')} resent`);
    }
    case 'token.refused': {
      const text = `The API answered 401 to access token ${event.tokenNumber}.`;
      requests.push(makeSpan(draft, 'refused', 'wait', [atMs, atMs], ['Access token refused', text]));
    }
  }
}

/** Ends everything that was under way, because the session has ended or another one has begun. */
function endAll(draft: Draft, atMs: number, tone: SpanTone, how: string): void {
  endRefresh(draft, atMs, 'plain', `Given up: ${how.toLowerCase()}`);
  endBackoff(draft, atMs);
  endReauthentication(draft, atMs, tone, how);
}

type SessionEvent = Exclude<
  Observation,
  { readonly type: `refresh.${string}` | `request.${string}` | 'token.refused' }
>;

function readSession(draft: Draft, atMs: number, event: SessionEvent): void {
  const mark = (kind: SpanKind, tone: SpanTone, title: string, text: string, handover: Span['handover'] = null): void =>
    pushMoment(
      draft.session,
      { ...makeSpan(draft, kind, tone, [atMs, atMs], [title, text]), handover },
      0,
      () => title,
    );
  switch (event.type) {
    case 'signed-in':
      endAll(draft, atMs, 'good', 'Signed in.');
      return mark('session', 'good', 'Signed in', 'A new session began.', 'gives');
    case 'signed-out':
      endAll(draft, atMs, 'bad', `Signed out (${event.reason}).`);
      return mark('session', event.reason === 'user' ? 'plain' : 'bad', 'Signed out', `Why: ${event.reason}.`);
    case 'session.adopted':
      if (draft.isAdopting && draft.refreshes.length > 0) return;
      endReauthentication(draft, atMs, 'good', 'Another tab signed in.');
      if (event.from === 'storage') return mark('adopted', 'good', 'Restored', tellAdoption(event.from));
      return mark('adopted', 'good', 'Adopted', tellAdoption(event.from), 'takes');
    case 'session.expiring':
      return mark(
        'session',
        'wait',
        'Ends soon',
        `The session ends in ${formatDuration(event.inMs)} unless it is renewed.`,
      );
    case 'reauthentication.required':
      endReauthentication(draft, atMs, 'wait', 'The next means had its turn.');
      if (event.reason !== 'step-up') {
        endRefresh(draft, atMs, 'plain', 'Given up: the session has ended.');
        endBackoff(draft, atMs);
      }
      draft.reauthentication = { fromMs: atMs, ask: event };
      return;
    case 'reauthentication.failed':
      return endReauthentication(
        draft,
        atMs,
        event.why === 'failed' ? 'bad' : 'wait',
        `It did not help (${event.why}).`,
      );
    case 'vault.unavailable':
      return mark('session', 'wait', 'Storage away', 'The storage did not answer; the session goes on without it.');
  }
}

function readEntryInto(draft: Draft, { atMs, observation }: TimelineEntry): void {
  const { type } = observation;
  if (type.startsWith('refresh.')) readRefresh(draft, atMs, observation as Parameters<typeof readRefresh>[2]);
  else if (type.startsWith('request.') || type === 'token.refused')
    readRequest(draft, atMs, observation as Parameters<typeof readRequest>[2]);
  else readSession(draft, atMs, observation as SessionEvent);
  draft.isAdopting = type === 'refresh.adopted';
  draft.hasSession ||= type === 'signed-in' || type === 'session.adopted' || type === 'refresh.succeeded';
}

/** Completes a lane. Spans without an end at the end of the recording stay open. */
function finish(draft: Draft, label: string): Lane {
  endRefresh(draft, null, 'wait', 'It is under way.');
  if (draft.backoff) draft.refreshes.push(draft.backoff);
  endReauthentication(draft, null, 'wait', 'The user is asked.');
  const parked = [...draft.parked.values()];
  if (parked.length > 0) {
    const texts = [`${countOf(parked.length, 'request')} parked`, 'Waiting for the session.'] as const;
    draft.requests.push(makeSpan(draft, 'parked', 'wait', [Math.min(...parked), null], texts, parked.length));
  }
  const { tab, sent, session, refreshes, requests } = draft;
  return { tab, label, sent, session, refreshes, requests };
}

/** Makes one lane for each tab, in the order of the tabs' first entries. */
export function readLanes(entries: readonly TimelineEntry[]): readonly Lane[] {
  const byTab = new Map<string, TimelineEntry[]>();
  for (const entry of entries) {
    const list = byTab.get(entry.tab);
    if (list) list.push(entry);
    else byTab.set(entry.tab, [entry]);
  }
  return [...byTab].map(([tab, list], index) => {
    const draft: Draft = {
      tab,
      session: [],
      refreshes: [],
      requests: [],
      refresh: null,
      backoff: null,
      reauthentication: null,
      parked: new Map(),
      isAdopting: false,
      hasSession: false,
      sent: 0,
    };
    // Sort by number, because the clock may have been set back.
    for (const entry of list.toSorted((a, b) => a.seq - b.seq)) readEntryInto(draft, entry);
    return finish(draft, `Tab ${index + 1}`);
  });
}

/** A refresh of one tab whose result another tab took over. */
export type Link = { readonly fromTab: string; readonly fromMs: number; readonly toTab: string; readonly toMs: number };

/** Tabs adopt within this time. The source of a later adoption is unknown. */
const ADOPTED_WITHIN_MS = 2_000;

/** Links each adoption to its source: the newest refresh or sign-in of another tab just before it. */
export function readLinks(lanes: readonly Lane[]): readonly Link[] {
  const ends = lanes.flatMap(({ tab, refreshes, session }) =>
    [...refreshes, ...session].map(({ handover, fromMs, toMs }) => ({ tab, handover, atMs: toMs ?? fromMs })),
  );
  const givers = ends.filter(({ handover }) => handover === 'gives');
  return ends.flatMap(({ tab, handover, atMs }) => {
    if (handover !== 'takes') return [];
    const isSource = (giver: (typeof givers)[number]): boolean =>
      giver.tab !== tab && giver.atMs <= atMs + TOGETHER_MS && atMs - giver.atMs < ADOPTED_WITHIN_MS;
    const source = givers.filter(isSource).toSorted((a, b) => b.atMs - a.atMs)[0];
    return source ? [{ fromTab: source.tab, fromMs: source.atMs, toTab: tab, toMs: atMs }] : [];
  });
}
