import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { kitCatalog } from '../../testing/catalog.ts';
import { GrpcFailure, refusalOf } from './refusal.ts';

/** The pause that is taken from a failure with this `grpc-retry-pushback-ms`. */
const pauseOf = (pushback: string | undefined): number | undefined => {
  const metadata = new Metadata();
  if (pushback !== undefined) metadata.set('grpc-retry-pushback-ms', pushback);
  const error = Object.assign(new Error('busy'), { code: status.UNAVAILABLE, details: 'busy', metadata });
  try {
    refusalOf(error, kitCatalog);
  } catch (failure) {
    if (failure instanceof GrpcFailure) return failure.retryAfterMs;
  }
  throw new Error('UNAVAILABLE is a failure');
};

describe("gRPC's pushback", () => {
  it.each([
    ['0', 0],
    ['250', 250],
    ['2147483647', 2_147_483_647],
  ])('in milliseconds (%s) is the pause before another attempt', (pushback, ms) => {
    expect(pauseOf(pushback)).toBe(ms);
  });

  it.each(['-1', '-250', 'soon', '1.5', '1e3', '99999999999', ' '])(
    'that is below zero or no number (%j) asks for no other attempt',
    (pushback) => {
      expect(pauseOf(pushback)).toBe(Number.POSITIVE_INFINITY);
    },
  );

  it('that is not there asks for nothing', () => {
    expect(pauseOf(undefined)).toBeUndefined();
  });
});
