import fc from 'fast-check';
import { v5 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { deriveId, eventIdOf } from './ids.ts';

describe('derived ids', () => {
  it('the id of an event is the UUIDv5 of its index in the namespace of its commit', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 0, max: 0xffff }), (commitId, index) => {
        expect(eventIdOf(commitId, index)).toBe(v5(String(index), commitId));
      }),
    );
  });

  it('an id of parts is for ever the same, and tells apart where one part ends', () => {
    expect(deriveId('order', 'alice', 'key-1')).toBe(
      v5('5:order5:alice5:key-1', 'b6f1a1de-5c0a-5d43-9d0e-0f5a3f0c7c11'),
    );
    expect(deriveId('a', 'bc')).not.toBe(deriveId('ab', 'c'));
  });
});
