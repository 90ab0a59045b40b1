import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { errorCatalog } from './errors.ts';

const entries = Object.entries(errorCatalog);

describe('the closed list of errors', () => {
  it.each(entries)('%s has an HTTP error status and a gRPC error status that exist', (_code, definition) => {
    expect(definition.httpStatus).toBeGreaterThanOrEqual(400);
    expect(definition.httpStatus).toBeLessThan(600);
    expect(status[definition.grpcStatus]).toBeDefined();
    expect(definition.grpcStatus).not.toBe(status.OK);
  });

  it.each(entries)('%s promises a retry only where the fault can pass by itself', (_code, definition) => {
    if (definition.httpStatus === 503 || definition.httpStatus === 504)
      expect(definition.retryable).toBe(true);
    if ([400, 401, 402, 404, 405, 413, 415, 422].includes(definition.httpStatus)) {
      expect(definition.retryable).toBe(false);
    }
  });
});
