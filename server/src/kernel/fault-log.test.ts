// An outage must not flood the log that should explain it.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFaultLog, type Fault } from './fault-log.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start(): {
  readonly lines: string[];
  readonly note: (fault?: Partial<Fault>) => void;
  readonly close: () => void;
} {
  const lines: string[] = [];
  const write = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const faults = createFaultLog({ info: write, warn: write, error: write });
  const database: Fault = { kind: 'database', level: 'warn', message: 'in doubt', fields: { sqlState: '57P01' } };
  return { lines, note: (fault = {}) => faults.note({ ...database, ...fault }), close: faults.close };
}

test('an outage with 20,000 failed answers is two lines: one at its start, and one with the count at its end', () => {
  const { lines, note } = start();
  for (let count = 0; count < 20_000; count++) {
    note();
    vi.advanceTimersByTime(10);
  }
  expect(lines).toEqual(['in doubt {"kind":"database","sqlState":"57P01"}']);
  vi.advanceTimersByTime(60_000);
  expect(lines.slice(1)).toEqual(['over: in doubt {"kind":"database","count":20000,"seconds":200}']);
  vi.advanceTimersByTime(600_000);
  expect(lines).toHaveLength(2);
});

test('a fault that comes back is logged again, and one that came once has no second line', () => {
  const { lines, note } = start();
  note();
  vi.advanceTimersByTime(61_000);
  note();
  vi.advanceTimersByTime(61_000);
  expect(lines).toHaveLength(2);
});

test('a fault of an operation that runs every five minutes is not over in between', () => {
  const { lines, note } = start();
  for (let count = 0; count < 5; count++) {
    note({ quietMs: 900_000 });
    vi.advanceTimersByTime(300_000);
  }
  expect(lines).toHaveLength(1);
});

test('the end of a fault is logged with the message of its last occurrence: how many events were lost by then', () => {
  const { lines, note } = start();
  note({ message: '1 event was lost' });
  note({ message: '7 events were lost' });
  vi.advanceTimersByTime(61_000);
  expect(lines[1]).toContain('over: 7 events were lost');
});

test('at most a hundred kinds of faults are logged separately, so that requests cannot grow the log', () => {
  const { lines, note } = start();
  for (let count = 0; count < 5_000; count++) note({ kind: `kind ${count % 500}` });
  expect(lines).toHaveLength(101);
});

test('a fault that is not over when the server closes is logged with its count', () => {
  const { lines, note, close } = start();
  note();
  note();
  close();
  close();
  expect(lines[1]).toContain('"count":2');
  expect(lines).toHaveLength(2);
});
