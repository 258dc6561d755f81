import { useSyncExternalStore } from 'react';

/** Half a second, so that what is rounded to seconds is right. */
const intervalMs = 500;

let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function tick(): void {
  nowMs = Date.now();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    // The clock stood still while no component watched it.
    nowMs = Date.now();
    timer = setInterval(tick, intervalMs);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Wall clock in ms, renewed twice a second; all countdowns of the page tick together. */
export function useNowMs(): number {
  return useSyncExternalStore(subscribe, () => nowMs);
}

const pad = (value: number): string => String(value).padStart(2, '0');

/** The time left, as `4:05`, `2:04:05` or `13 d 02:04:05`; `0:00` when the time is up, and not before. */
export function formatCountdown(leftMs: number): string {
  const seconds = leftMs <= 0 ? 0 : Math.max(1, Math.round(leftMs / 1_000));
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3_600);
  const minutes = Math.floor((seconds % 3_600) / 60);
  if (days > 0) return `${days} d ${pad(hours)}:${pad(minutes)}:${pad(seconds % 60)}`;
  if (hours > 0) return `${hours}:${pad(minutes)}:${pad(seconds % 60)}`;
  return `${minutes}:${pad(seconds % 60)}`;
}

/** A moment as a time of day, with its date when it is not today. */
export function formatMoment(atMs: number): string {
  const at = new Date(atMs);
  const time = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })}, ${time.slice(0, 5)}`;
}

/** A moment as its day: `24 Nov`, with the year when it is another one. */
export function formatDay(atMs: number): string {
  const at = new Date(atMs);
  const isThisYear = at.getFullYear() === new Date().getFullYear();
  return at.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    ...(isThisYear ? {} : { year: 'numeric' }),
  });
}

const ago = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** How long ago a moment was, in words: `just now`, `5 minutes ago`, `yesterday`; its day when it was over a month ago. */
export function formatAgo(atMs: number, nowMs: number): string {
  const minutes = Math.floor((nowMs - atMs) / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return ago.format(-minutes, 'minute');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return ago.format(-hours, 'hour');
  const days = Math.floor(hours / 24);
  return days <= 31 ? ago.format(-days, 'day') : `on ${formatDay(atMs)}`;
}
