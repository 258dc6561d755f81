import { useEffect, useState } from 'react';

/** Half a second, so that what is rounded to seconds is right. */
const tickMs = 500;

/** Wall clock in ms, renewed twice a second while the component is shown. */
export function useNowMs(): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), tickMs);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}

const twoDigits = (value: number): string => `${value}`.padStart(2, '0');

/** The time left, as `4:05`, `2:04:05` or `13 d 2 h`; `0:00` when the time is up, and not before. */
export function formatCountdown(leftMs: number): string {
  const left = leftMs <= 0 ? 0 : Math.max(1, Math.round(leftMs / 1_000));
  const [seconds, minutes, hours, days] = [
    left % 60,
    Math.floor(left / 60) % 60,
    Math.floor(left / 3_600) % 24,
    Math.floor(left / 86_400),
  ];
  const clock = `${twoDigits(minutes)}:${twoDigits(seconds)}`;
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours}:${clock}` : `${minutes}:${twoDigits(seconds)}`;
}

/** A moment as a time of day, with its date when it is not today. */
export function formatMoment(atMs: number): string {
  const at = new Date(atMs);
  const time = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })}, ${time.slice(0, 5)}`;
}

/** How long ago a moment was, in words. Hermes has no `Intl.RelativeTimeFormat`. */
export function formatAgo(atMs: number, nowMs: number): string {
  const minutes = Math.floor((nowMs - atMs) / 60_000);
  if (minutes < 1) return 'just now';
  const [count, unit] =
    minutes < 60
      ? [minutes, 'minute']
      : minutes < 1_440
        ? [Math.floor(minutes / 60), 'hour']
        : [Math.floor(minutes / 1_440), 'day'];
  return count > 31 ? `on ${formatMoment(atMs)}` : `${count} ${unit}${count === 1 ? '' : 's'} ago`;
}
