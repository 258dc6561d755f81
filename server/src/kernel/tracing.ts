import {
  context,
  propagation,
  ProxyTracerProvider,
  SpanKind,
  SpanStatusCode,
  trace,
  type Link,
  type Span,
  type SpanContext,
} from '@opentelemetry/api';
import type { HttpRequest } from './http-message.ts';

/**
 * Tracer of the OpenTelemetry API. Without an SDK in the process it records no span and costs nothing.
 *
 * Attributes hold routes, statuses and counts; never a header, a body or an id of a user.
 */
const tracer = trace.getTracer('@holdfast/server');

/** The delegate that drops spans while no SDK is registered. */
const NOWHERE = new ProxyTracerProvider().getDelegate();

/**
 * Checked for each request, because an SDK may be registered later. Spans without an SDK would cost 2 % of a refresh.
 */
function isTracing(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== NOWHERE;
}

/**
 * Runs a request inside a server span that continues the trace named by its headers.
 *
 * @param route the endpoint's path as registered
 * @see OpenTelemetry semantic conventions, HTTP server spans
 */
export function traceRequest<Result extends { readonly response: { readonly status: number } } | null>(
  { method, headers }: HttpRequest,
  route: string,
  work: () => Promise<Result>,
): Promise<Result> {
  if (!isTracing()) return work();
  const parent = propagation.extract(context.active(), headers);
  const attributes = { 'http.request.method': method, 'http.route': route };
  return tracer.startActiveSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent, (span) =>
    recordAnswer(span, work),
  );
}

async function recordAnswer<Result extends { readonly response: { readonly status: number } } | null>(
  span: Span,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    const result = await work();
    const status = result?.response.status ?? 404;
    span.setAttribute('http.response.status_code', status);
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    return result;
  } finally {
    span.end();
  }
}

/** Returns the context of the current span, so that a batch can link to the requests that it serves. */
export function activeSpanContext(): SpanContext | null {
  return trace.getActiveSpan()?.spanContext() ?? null;
}

/** Runs one batch of rotations inside a span that links to every request in it. */
export async function traceBatch<Result>(
  members: readonly (SpanContext | null)[],
  work: () => Promise<Result>,
): Promise<Result> {
  if (!isTracing()) return work();
  const links = members.flatMap((member): Link[] => (member === null ? [] : [{ context: member }]));
  const attributes = { 'db.system.name': 'postgresql', 'db.operation.batch.size': members.length };
  return tracer.startActiveSpan(
    'holdfast rotate',
    { kind: SpanKind.CLIENT, attributes, links, root: true },
    async (span) => {
      try {
        return await work();
      } finally {
        span.end();
      }
    },
  );
}
