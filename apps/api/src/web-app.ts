import { existsSync } from 'node:fs';
import type { RequestListener, ServerResponse } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import sirv from 'sirv';
import { problem, sendAnswer } from './answer.ts';

/** Where the build of apps/web is, seen from this file's folder (src and dist lie side by side). */
const webAppFolder = fileURLToPath(new URL('../../web/dist/', import.meta.url));

/** Script, style and connections only from this origin, nothing inline, in no frame. */
const contentSecurityPolicy = [
  "default-src 'self'",
  "base-uri 'none'",
  "object-src 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "img-src 'self' data:",
].join('; ');

/** Headers for every answer of this server, whichever part writes it. */
export function setSecurityHeaders(response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('cross-origin-opener-policy', 'same-origin');
}

/**
 * Serves the built web app: any path without a file of its own is the single page.
 * Files in `assets/` carry a hash of their content in their names and are kept for a year; all else is asked for anew.
 *
 * @param folder default: the build of apps/web
 */
export function serveWebApp(folder: string = webAppFolder): RequestListener {
  if (!existsSync(path.join(folder, 'index.html'))) {
    return (_request, response) =>
      sendAnswer(response, problem(404, 'Not Found', 'The web app is not built: run "npm run setup".'));
  }
  const serveFile = sirv(folder, {
    single: true,
    etag: true,
    setHeaders(response, pathname) {
      const isHashed = pathname.startsWith('/assets/');
      response.setHeader('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      response.setHeader('content-security-policy', contentSecurityPolicy);
    },
  });
  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return sendAnswer(response, problem(404, 'Not Found', 'There is nothing at this path.'));
    }
    return serveFile(request, response, () =>
      sendAnswer(response, problem(404, 'Not Found', 'There is nothing at this path.')),
    );
  };
}
