import { expect, it } from 'vitest';
import type { TimelineEntry } from './entry.ts';
import { readModel } from './model.ts';
import { neighbour } from './navigation.ts';

const entries = [
  { type: 'signed-in' },
  { type: 'token.refused', tokenNumber: 1 },
  { type: 'refresh.started', attempt: 1, cause: 'refused' },
  { type: 'refresh.succeeded', attempt: 1, durationMs: 40, isRotated: true },
].map((observation, at) => ({ tab: 'tab1', seq: at + 1, atMs: [1_000, 2_000, 2_000, 2_040][at], observation }));

it('arrow keys visit a refused token before the refresh that it caused, also within one millisecond', () => {
  const choices = { view: null, isFolded: false, hidden: new Set<never>() };
  const model = readModel(entries as unknown as readonly TimelineEntry[], choices, 3_000);
  const visited: string[] = [];
  let span = model.lanes[0]?.rows.flat().find(({ kind }) => kind === 'session') ?? null;
  for (; span; span = neighbour(model, span.id, 'ArrowRight')) visited.push(span.kind);
  expect(visited).toEqual(['session', 'refused', 'refresh']);
});
