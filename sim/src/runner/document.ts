import fs from 'node:fs/promises';
import path from 'node:path';
import { say } from './seeds.ts';

const FILE = path.join('docs', 'simulation.md');

/**
 * Writes the output of a command into docs/simulation.md, between `<!-- sim:name -->` and `<!-- /sim:name -->`.
 *
 * @throws TypeError if there is no such place
 */
export async function writeSection(name: string, text: string): Promise<void> {
  const [begin, end] = [`<!-- sim:${name} -->`, `<!-- /sim:${name} -->`];
  const page = await fs.readFile(FILE, 'utf8');
  const [at, to] = [page.indexOf(begin), page.indexOf(end)];
  if (at < 0 || to < at) throw new TypeError(`${FILE} has no place for ${name}: ${begin} and ${end}`);
  await fs.writeFile(FILE, `${page.slice(0, at + begin.length)}\n${text}\n${page.slice(to)}`);
  say(`written: ${FILE}`);
}
