// How large the client is when an app bundles it: esbuild, minified, gzip. The README's table is made of these figures.
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Imports of an app, their size in its bundle, and the limit: kB, gzip. @see docs/decisions/0037 */
const parts: readonly (readonly [string, string, number])[] = [
  ['the session machine alone', "export { transition, initialState } from './core/session.ts';", 7.5],
  [
    'AuthService with `fetch`, and the ports for browsers',
    "export { createAuthService } from './index.ts'; export { web } from './web/index.ts';",
    17.5,
  ],
  [
    'the same with ApiClient and DPoP',
    "export { createAuthService, createApiClient } from './index.ts'; export { web, webProofSigner } from './web/index.ts';",
    19.5,
  ],
  ['`holdfast/react` on top, without React', "export * from './react/index.ts';", 2],
  ['`holdfast/timeline`, without the panel that it loads', "export * from './timeline/index.ts';", 1.5],
];

/** A size in kilobytes (1,000 bytes) with one decimal. */
const kilobytes = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} kB`;

/** Bytes of one part, and how many there may be. */
export type Size = {
  readonly part: string;
  readonly minified: number;
  readonly gzip: number;
  readonly gzipMax: number;
};

/** Measures every part. */
export async function measureSizes(root: string): Promise<readonly Size[]> {
  return Promise.all(
    parts.map(async ([part, contents, kilobytesMax]) => {
      const { outputFiles } = await build({
        stdin: { contents, resolveDir: path.join(root, 'client/src'), loader: 'ts' },
        bundle: true,
        minify: true,
        format: 'esm',
        platform: 'browser',
        target: 'es2022',
        external: ['react', './panel.ts'],
        write: false,
      });
      const bytes = outputFiles[0]?.contents ?? new Uint8Array();
      return {
        part,
        minified: bytes.length,
        gzip: gzipSync(bytes, { level: 9 }).length,
        gzipMax: kilobytesMax * 1_000,
      };
    }),
  );
}

/** The table of the README. */
export function sizeTable(sizes: readonly Size[]): string {
  const rows = sizes.map(
    ({ part, minified, gzip, gzipMax }) =>
      `| ${part} | ${kilobytes(minified)} | ${kilobytes(gzip)} | ${kilobytes(gzipMax)} |`,
  );
  return ['| what | minified | gzip | at most |', '| --- | --: | --: | --: |', ...rows].join('\n');
}

const section = /(<!-- sizes:[^>]*-->\n)[\s\S]*?(<!-- \/sizes -->)/u;

/** The README with the table of today. */
export const withSizes = (readme: string, table: string): string => readme.replace(section, `$1${table}\n$2`);
