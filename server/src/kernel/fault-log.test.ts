// An outage must not drown the log that should explain it.
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

test('an outage with 20,000 answers is two lines: when it began, and how often it was met when it is over', () => {
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

test('a fault that comes back after it was over is told again, and one that came once has no second line', () => {
  const { lines, note } = start();
  note();
  vi.advanceTimersByTime(61_000);
  note();
  vi.advanceTimersByTime(61_000);
  expect(lines).toHaveLength(2);
});

test('a fault of what is tried once in five minutes is not over in between', () => {
  const { lines, note } = start();
  for (let count = 0; count < 5; count++) {
    note({ quietMs: 900_000 });
    vi.advanceTimersByTime(300_000);
  }
  expect(lines).toHaveLength(1);
});

test('the end of a fault is told in the words of its last occurrence: how many events were lost by then', () => {
  const { lines, note } = start();
  note({ message: '1 event was lost' });
  note({ message: '7 events were lost' });
  vi.advanceTimersByTime(61_000);
  expect(lines[1]).toContain('over: 7 events were lost');
});

test('different faults are told apart, at most a hundred: what is told grows with nothing that is sent', () => {
  const { lines, note } = start();
  for (let count = 0; count < 5_000; count++) note({ kind: `kind ${count % 500}` });
  expect(lines).toHaveLength(101);
});

test('what is not over when the server closes is summed up then', () => {
  const { lines, note, close } = start();
  note();
  note();
  close();
  close();
  expect(lines[1]).toContain('"count":2');
  expect(lines).toHaveLength(2);
});
