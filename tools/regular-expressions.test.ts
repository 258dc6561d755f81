// A stranger chooses the input of many of our regular expressions. One that takes quadratic time for 16 kB stops a whole node.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkLiteralPatterns, checkPatternTimes, findPatterns } from './regular-expressions.ts';
import { isTestFile, parseSource, readSourceFiles } from './source-file.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** The code that runs at users: tools, benchmarks and the simulator read nothing that a stranger wrote. */
const shipped = /^(?:client|server|apps\/(?:api|ios|web))\/src\//;
const sources = readSourceFiles(root).filter(({ path }) => shipped.test(path) && !isTestFile(path));

describe('the regular expressions of the code', () => {
  it('are found', () => {
    expect(findPatterns(sources).length).toBeGreaterThan(40);
  });

  it('are literals, so that each can be checked', () => {
    expect(checkLiteralPatterns(sources)).toEqual([]);
  });

  it('take linear time, whatever they are given', { timeout: 300_000 }, async () => {
    expect(await checkPatternTimes(findPatterns(sources))).toEqual([]);
  });
});

describe('the check of regular expressions', () => {
  const parse = (text: string) => [parseSource('client/src/a.ts', text)];

  it('refuses one whose time grows with the square of its input, or faster', async () => {
    // The first was the path of every request; the last cannot be decided, because of its back-reference.
    const bad = [String.raw`/[^/]+$/`, String.raw`/(?:a+)+$/u`, String.raw`/\s+;/`, String.raw`/(a)\1*b/`];
    const findings = await checkPatternTimes(findPatterns(parse(bad.map((pattern) => `x(${pattern});`).join('\n'))));
    expect(findings.map(({ line }) => line)).toEqual([1, 2, 3, 4]);
    expect(findings[0]?.message).toContain('2nd degree polynomial');
  });

  it('refuses one that is made at run time', () => {
    const bad = ['new RegExp(`^${name}`)', "RegExp('a+')", "text.match('a+')", 'text.search(`${name}+`)'];
    expect(checkLiteralPatterns(parse(bad.join(';\n'))).map(({ line }) => line)).toEqual([1, 2, 3, 4]);
    expect(checkLiteralPatterns(parse('text.match(/a/u); text.replace("a", "b"); params.match(text)'))).toEqual([]);
  });
});
