import { AsyncLocalStorage } from 'node:async_hooks';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  trace,
  type Context,
  type ContextManager,
  type Link,
  type Span,
  type SpanContext,
  type SpanOptions,
  type TextMapPropagator,
  type Tracer,
} from '@opentelemetry/api';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { ISSUER, startTestServer, type TestServer } from '../testing/client.ts';
import { createTestDatabase, type TestDatabase } from '../testing/database.ts';

// Generous timeouts, so that other load on the machine fails no test.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** A span as an SDK would export it. */
type RecordedSpan = {
  readonly name: string;
  readonly spanContext: SpanContext;
  readonly parentTraceId: string | null;
  readonly links: readonly Link[];
  readonly attributes: Record<string, unknown>;
  isEnded: boolean;
};

const spans: RecordedSpan[] = [];
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';

let database: TestDatabase;
let server: TestServer;

beforeAll(async () => {
  context.setGlobalContextManager(createContextManager());
  propagation.setGlobalPropagator(traceParent);
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  database = await createTestDatabase(inject('postgresAdminUrl'));
  server = await startTestServer(database.databaseUrl);
});
afterAll(async () => {
  await server.holdfast.close();
  await database.drop();
  for (const api of [context, propagation, trace]) api.disable();
});

/** The minimal SDK for the API: contexts that follow promises, one header, spans in a list. */
function createContextManager(): ContextManager {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, work, self, ...args) => storage.run(active, () => work.apply(self, args)),
    bind: (_active, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  return manager;
}

const traceParent: TextMapPropagator = {
  inject: () => {},
  extract: (active, carrier, getter) => {
    const [, traceId, spanId] = String(getter.get(carrier, 'traceparent') ?? '').split('-');
    if (traceId === undefined || spanId === undefined) return active;
    return trace.setSpanContext(active, { traceId, spanId, traceFlags: 1, isRemote: true });
  },
  fields: () => ['traceparent'],
};

const tracer: Tracer = {
  startSpan: () => trace.wrapSpanContext({ traceId: '', spanId: '', traceFlags: 0 }),
  startActiveSpan: <Work extends (span: Span) => unknown>(
    name: string,
    options: SpanOptions | Work,
    parent?: Context | Work,
    work?: Work,
  ): ReturnType<Work> => {
    const [run, within] =
      typeof parent === 'function' ? [parent, context.active()] : [work as Work, parent ?? context.active()];
    const { attributes = {}, links = [], root = false } = options as SpanOptions;
    const parentContext = root ? undefined : trace.getSpanContext(within);
    const spanContext = {
      traceId: parentContext?.traceId ?? String(spans.length + 1).padStart(32, '0'),
      spanId: String(spans.length + 1).padStart(16, '0'),
      traceFlags: 1,
    };
    const recorded: RecordedSpan = {
      name,
      spanContext,
      parentTraceId: parentContext?.traceId ?? null,
      links,
      attributes: { ...attributes },
      isEnded: false,
    };
    spans.push(recorded);
    const span = Object.assign(trace.wrapSpanContext(spanContext), {
      setAttribute: (key: string, value: unknown) => {
        recorded.attributes[key] = value;
        return span;
      },
      end: () => {
        recorded.isEnded = true;
      },
    });
    return context.with(trace.setSpan(within, span), () => run(span)) as ReturnType<Work>;
  },
};

test("a request continues its caller's trace, and the batch that served it links to it", async () => {
  const { sid, refreshToken } = await server.signIn();
  await server.letTimePass(sid, 61_000);
  spans.length = 0;
  const body = new URLSearchParams({ client_id: 'native', grant_type: 'refresh_token', refresh_token: refreshToken });
  const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-01`;
  const answer = await server.holdfast.fetch(
    new Request(`${ISSUER}/token`, { method: 'POST', body, headers: { traceparent } }),
  );
  expect(answer.status).toBe(200);
  const [request, batch] = spans;
  expect(request).toMatchObject({
    name: 'POST /token',
    parentTraceId: TRACE_ID,
    attributes: { 'http.request.method': 'POST', 'http.route': '/token', 'http.response.status_code': 200 },
    isEnded: true,
  });
  expect(batch).toMatchObject({
    name: 'holdfast rotate',
    parentTraceId: null,
    attributes: { 'db.operation.batch.size': 1 },
    links: [{ context: request?.spanContext }],
    isEnded: true,
  });
});

test('spans hold no token, id or address', async () => {
  spans.length = 0;
  const { sid, refreshToken, accessToken } = await server.signIn();
  await server.refresh(refreshToken);
  const text = JSON.stringify(spans);
  expect(spans.length).toBeGreaterThan(2);
  for (const hidden of [sid, refreshToken, accessToken, '192.0.2.1', 'ada@example.org'])
    expect(text).not.toContain(hidden);
});
