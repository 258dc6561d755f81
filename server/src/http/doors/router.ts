import type { HttpRequest, HttpResponse } from '../../kernel/http-message.ts';
import { errorResponse, json, tooManyRequests } from '../answers.ts';
import type { EndpointParts } from '../endpoint-parts.ts';
import type { Endpoint } from '../endpoint.ts';
import { runPipeline, type Answered } from '../pipeline.ts';
import type { AddressLimit } from '../rate-limit.ts';
import { ENDPOINTS } from './endpoints.ts';

const BY_PATH: ReadonlyMap<string, Endpoint> = new Map(ENDPOINTS.map((endpoint) => [endpoint.path, endpoint]));

/** True if a path is one of ours. Other paths must be left untouched for the host. */
export function isOurPath(path: string): boolean {
  return routeOf(path) !== null;
}

/**
 * Returns the registered path of the endpoint. Metrics and traces use it, because their labels must not grow with
 * input.
 */
export function routeOf(path: string): string | null {
  return endpointOf(path)?.path ?? null;
}

/** In characters. Longer than any path of ours: the longest id is a passkey's, with 1364. */
const LONGEST_PATH = 2_048;

/**
 * Finds the endpoint with exactly this path, else the one that takes the last segment as an id.
 *
 * Runs before every limit, also for paths of the host. It therefore scans the path once, and skips one that is too
 * long.
 */
function endpointOf(path: string): Endpoint | undefined {
  if (path.length > LONGEST_PATH) return undefined;
  const idAt = path.lastIndexOf('/') + 1;
  return BY_PATH.get(path) ?? (idAt < path.length ? BY_PATH.get(`${path.slice(0, idAt)}{id}`) : undefined);
}

/** Answers a request to one of our paths; null for any other. Never throws. */
export async function answerRequest(request: HttpRequest, parts: EndpointParts): Promise<Answered | null> {
  const endpoint = endpointOf(request.path);
  return endpoint === undefined ? null : runPipeline(endpoint, request, parts);
}

/**
 * Answers a path that is not ours. Counts the request towards the address's limit, as form and account endpoints do.
 */
export function answerUnknownPath(remoteAddress: string, addressLimit: AddressLimit): HttpResponse {
  const waitMs = addressLimit.take(remoteAddress);
  return waitMs > 0 ? errorResponse(tooManyRequests(waitMs)) : notFound();
}

export function notFound(): HttpResponse {
  return json(404, { error: 'not_found', error_description: 'There is nothing at this path' });
}
