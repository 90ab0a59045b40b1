import { expect, onTestFinished } from 'vitest';
import type { Service, ServiceOptions } from '../src/service.ts';
import { kitCatalog } from './catalog.ts';
import { captureSpans, testService } from './index.ts';

/** A service with what it logs and traces; stopped after the test. */
export const build = (
  options: Pick<ServiceOptions<never>, 'httpDeadlineMs' | 'inFlightMax' | 'env'> & {
    readonly faults?: boolean;
    readonly shutdownDeadlineMs?: number;
  } = {},
): {
  readonly service: Service;
  readonly spans: ReturnType<typeof captureSpans>;
  readonly lines: readonly string[];
} => {
  const lines: string[] = [];
  const spans = captureSpans();
  const service = testService({
    name: 'kit',
    shutdownDeadlineMs: 2_000,
    errors: kitCatalog,
    httpDeadlineMs: 2_000,
    ...options,
    spanProcessors: [spans.processor],
    logDestination: { write: (line) => void lines.push(line) },
  });
  onTestFinished(async () => {
    await service.stop();
  });
  return { service, spans, lines };
};

export const post = (body: string, type = 'application/json'): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) },
});

/** The problem that an answer holds. */
export const problemOf = async (response: Response): Promise<unknown> => {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return response.json();
};
