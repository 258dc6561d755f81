export type { TimelineEntry } from './entry.ts';
export { createTimeline } from './timeline.ts';
export type { Timeline, TimelineOptions } from './timeline.ts';
