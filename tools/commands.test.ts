// The commands decide whether a change is let in: an error of theirs would look like a green run.
import { describe, expect, it } from 'vitest';
import { requireNode } from './setup.mjs';
import { countTests } from './vitest-report.mjs';

describe('setup', () => {
  it.each(['18.20.0', '20.18.9', '12.0.0'])('does not go on with Node %s, and says which one it needs', (version) => {
    expect(() => requireNode(version)).toThrow(/needs Node 20\.19 or newer, and this is Node \d+/);
  });

  it.each(['20.19.0', '20.20.2', '22.0.0', '100.1.0'])('goes on with Node %s', (version) => {
    expect(() => requireNode(version)).not.toThrow();
  });
});

describe('the count of tests', () => {
  const loaded = { status: 'passed', assertionResults: [{ status: 'passed' }] };

  it('is what Vitest counted', () => {
    const report = { numPassedTests: 5, numFailedTests: 2, testResults: [loaded] };
    expect(countTests(report, false)).toEqual({ passed: 5, failed: 2 });
  });

  it('has a failure for a file that did not load, and for one whose preparation failed', () => {
    const broken = { status: 'failed', assertionResults: [] };
    const unprepared = { status: 'failed', assertionResults: [{ status: 'skipped' }] };
    const failing = { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] };
    const report = { numPassedTests: 6, numFailedTests: 1, testResults: [loaded, broken, unprepared, failing] };
    expect(countTests(report, false)).toEqual({ passed: 6, failed: 3 });
  });

  it('has a failure when Vitest failed and no test did', () => {
    const report = { numPassedTests: 5, numFailedTests: 0, testResults: [loaded] };
    expect(countTests(report, false)).toEqual({ passed: 5, failed: 1 });
    expect(countTests(report, true)).toEqual({ passed: 5, failed: 0 });
  });

  it('has a failure when Vitest wrote no report', () => {
    expect(countTests(undefined, true)).toEqual({ passed: 0, failed: 1 });
  });
});
