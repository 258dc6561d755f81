import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFolder } from '../testing/processes.ts';
import { privateFile } from './private-file.ts';

type Value = { readonly word: string };

let home: ReturnType<typeof createFolder>;
let file: string;
beforeEach(() => {
  home = createFolder();
  file = path.join(home.folder, 'value.json');
});
afterEach(() => home.remove());

const write = (content: object): void => writeFileSync(file, JSON.stringify(content), { mode: 0o600 });
const lost = (): Value => ({ word: 'lost' });

/** Decodes a value, after `underLock` at the second call: the first one reads without the lock. */
function decoding(underLock: () => void): (json: object) => Value | null {
  let calls = 0;
  return (json) => {
    if (calls++ === 1) underLock();
    const { word } = json as Partial<Value>;
    return word === undefined ? null : { word };
  };
}

describe('a damaged file', () => {
  it('is replaced and kept, with nothing else beside it', async () => {
    write({ format: 1, words: 'damaged' });
    const stored = privateFile(
      file,
      decoding(() => {}),
      () => {},
      lost,
    );
    expect(await stored.read()).toEqual({ word: 'lost' });
    expect(readdirSync(home.folder).toSorted()).toEqual(['value.json', 'value.json.damaged']);
    expect(readFileSync(`${file}.damaged`, 'utf8')).toContain('damaged');
  });

  it('is not confused with the file of the process that broke the lock and has replaced it', async () => {
    write({ format: 1, words: 'damaged' });
    const warnings: string[] = [];
    const meanwhile = (): void => {
      // This process was frozen after its read. Another one has broken its lock, and has written.
      rmSync(`${file}.lock`, { recursive: true });
      write({ format: 1, word: 'good' });
    };
    const stored = privateFile(file, decoding(meanwhile), (warning) => void warnings.push(warning), lost);
    expect(await stored.read()).toEqual({ word: 'good' });
    expect(readdirSync(home.folder)).toEqual(['value.json']);
    expect(warnings).toEqual([]);
  });
});
