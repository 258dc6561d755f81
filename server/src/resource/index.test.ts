import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/**
 * Finds the packages and Node modules that a module loads at run time, transitively. Type imports are erased by then.
 */
function loadedBy(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return new Set();
  seen.add(file);
  const found = new Set<string>();
  const imports = /^(?:import|export) (?!type )[^'"]*? from '([^']+)';$/gmu;
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(imports)) {
    const more = specifier.startsWith('.')
      ? loadedBy(fileURLToPath(new URL(specifier, `file://${file}`)), seen)
      : [specifier];
    for (const name of more) found.add(name);
  }
  return found;
}

test('a resource server loads no database driver and no framework', () => {
  expect(loadedBy(fileURLToPath(new URL('./index.ts', import.meta.url)))).toEqual(new Set(['node:crypto']));
  // The whole server loads them, which proves that the search works.
  expect(loadedBy(fileURLToPath(new URL('../index.ts', import.meta.url)))).toContain('pg');
});
