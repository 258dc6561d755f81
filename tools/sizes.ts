// How large the client is when an app bundles it: esbuild, minified, gzip. The README's table is made of these figures.
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** What an app takes from the client, and what it then carries. */
const parts: readonly (readonly [string, string])[] = [
  ['the session machine alone', "export { transition, initialState } from './session.ts';"],
  [
    'AuthService with `fetch`, and the ports for browsers',
    "export { createAuthService } from './index.ts'; export { web } from './web/index.ts';",
  ],
  [
    'the same with ApiClient and DPoP',
    "export { createAuthService, createApiClient } from './index.ts'; export { web, webProofSigner } from './web/index.ts';",
  ],
  ['`holdfast/react` on top, without React', "export * from './react/index.ts';"],
];

/** A size in kilobytes (1,000 bytes) with one decimal. */
const kilobytes = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} kB`;

/** Measures every part. */
export async function measureSizes(root: string): Promise<readonly { part: string; minified: number; gzip: number }[]> {
  return Promise.all(
    parts.map(async ([part, contents]) => {
      const { outputFiles } = await build({
        stdin: { contents, resolveDir: path.join(root, 'client/src'), loader: 'ts' },
        bundle: true,
        minify: true,
        format: 'esm',
        platform: 'browser',
        target: 'es2022',
        external: ['react'],
        write: false,
      });
      const bytes = outputFiles[0]?.contents ?? new Uint8Array();
      return { part, minified: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
    }),
  );
}

/** The table of the README. */
export async function sizeTable(root: string): Promise<string> {
  const sizes = await measureSizes(root);
  const rows = sizes.map(({ part, minified, gzip }) => `| ${part} | ${kilobytes(minified)} | ${kilobytes(gzip)} |`);
  return ['| what | minified | gzip |', '| --- | --: | --: |', ...rows].join('\n');
}

const section = /(<!-- sizes:[^>]*-->\n)[\s\S]*?(<!-- \/sizes -->)/u;

/** The README with the table of today. */
export const withSizes = (readme: string, table: string): string => readme.replace(section, `$1${table}\n$2`);
