import type { HttpRequest } from '../kernel/http-message.ts';
import { isUuid } from '../kernel/ids.ts';
import { invalidRequest, invalidTarget, OAuthError } from './answers.ts';

/** Parameters of a request. Each appears once and has a value (RFC 6749 §3.2: an empty one counts as omitted). */
export type Parameters = ReadonlyMap<string, string>;

const FORM = /^application\/x-www-form-urlencoded[\t ]*(;|$)/i;
/** Fast path for most names and values: no escapes and no forbidden characters. */
const PLAIN = /^[\w.~-]*$/;
/** Control characters and lone surrogates. */
const FORBIDDEN = /[\p{Cc}\p{Cs}]/u;

/**
 * Reads the form in a request's body. Refuses a repeated parameter, a malformed escape and a control character.
 *
 * @throws OAuthError `invalid_request`, 400 or 413; `invalid_target` for a repeated `resource`
 */
export function readForm(request: HttpRequest, bodyLimitBytes: number): Parameters {
  const { body, headers } = request;
  if ((typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength) > bodyLimitBytes) {
    throw new OAuthError(413, 'invalid_request', 'The request body is too large');
  }
  if (!FORM.test(headers['content-type'] ?? '')) {
    throw invalidRequest('The request body must be application/x-www-form-urlencoded');
  }
  return readPairs(decodeUtf8(body));
}

/** True if requests of this method carry a form. */
export function hasForm(method: string): boolean {
  return method === 'POST' || method === 'PATCH';
}

/** Reads the parameters of a request's query as strictly as a form. Queries end up in logs, so put no secrets there. */
export function readQuery({ query = '' }: HttpRequest): Parameters {
  return readPairs(query);
}

function readPairs(encoded: string): Parameters {
  const parameters = new Map<string, string>();
  const seen = new Set<string>();
  for (const pair of encoded.split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = unescape(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? '' : unescape(pair.slice(at + 1));
    if (seen.has(name)) {
      throw name === 'resource' ? invalidTarget() : invalidRequest('A parameter is given more than once');
    }
    seen.add(name);
    if (value !== '') parameters.set(name, value);
  }
  return parameters;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function decodeUtf8(body: Uint8Array | string): string {
  if (typeof body === 'string') return body;
  try {
    return UTF8.decode(body);
  } catch {
    throw invalidRequest('The request body is not UTF-8');
  }
}

function unescape(escaped: string): string {
  if (PLAIN.test(escaped)) return escaped;
  let text: string;
  try {
    text = decodeURIComponent(escaped.replaceAll('+', ' '));
  } catch {
    throw invalidRequest('The request holds a malformed escape');
  }
  if (FORBIDDEN.test(text)) {
    throw invalidRequest('A parameter holds a character that is not allowed');
  }
  return text;
}

/** @throws OAuthError `invalid_request` that names the parameter */
export function requireParameter(parameters: Parameters, name: string): string {
  const value = parameters.get(name);
  if (value === undefined) throw invalidRequest(`The parameter ${name} is missing`);
  return value;
}

/** @throws OAuthError `invalid_request` if the parameter is present and neither `true` nor `false` */
export function readFlag(parameters: Parameters, name: string, otherwise: boolean): boolean {
  const parameter = parameters.get(name) ?? String(otherwise);
  if (parameter !== 'true' && parameter !== 'false') throw invalidRequest(`${name} is true or false`);
  return parameter === 'true';
}

/** The base64url of 32 bytes. */
const DEVICE_SECRET = /^[A-Za-z0-9_-]{43}$/;

/** @throws OAuthError `invalid_request` if the parameter is present and malformed */
export function readDeviceSecret(parameters: Parameters): string | null {
  const secret = parameters.get('device_secret') ?? null;
  if (secret !== null && !DEVICE_SECRET.test(secret))
    throw invalidRequest('device_secret is the base64url of 32 bytes');
  return secret;
}

/** @throws OAuthError `invalid_request` if the parameter is present and not a UUID */
export function readSid(parameters: Parameters, name: string): string | null {
  const parameter = parameters.get(name)?.toLowerCase();
  if (parameter === undefined) return null;
  if (!isUuid(parameter)) throw invalidRequest(`${name} is a UUID`);
  return parameter;
}
