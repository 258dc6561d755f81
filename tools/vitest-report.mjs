// @ts-check
// The result of a run of Vitest, from its JSON report.

/**
 * @typedef {object} VitestReport the part of it that is read here
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {readonly { status: string, assertionResults: readonly { status: string }[] }[]} testResults by file
 */

/**
 * Counts tests so that nothing that went wrong counts as nothing.
 *
 * @param {VitestReport | undefined} report undefined: Vitest wrote none
 * @param {boolean} endedWell whether Vitest ended with exit code 0
 * @returns {{ passed: number, failed: number }} failed is at least 1 unless Vitest ended well
 */
export function countTests(report, endedWell) {
  if (report === undefined) return { passed: 0, failed: 1 };
  // A file that does not load, or whose preparation fails, has no failed test in it.
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const failed = report.numFailedTests + brokenFiles;
  // An error outside of any test fails the run alone.
  return { passed: report.numPassedTests, failed: failed === 0 && !endedWell ? 1 : failed };
}
