import { expect, it } from 'vitest';
import { DeadLetterDetail, DeadLetterOrder } from './dead-letters.ts';

it('a letter that cannot be decoded is shown without what it says', () => {
  const detail = {
    id: 'q:sha256-0',
    broker: 'rabbitmq',
    source: 'q',
    consumer: 'q',
    position: '',
    subject: '',
    type: '',
    correlationId: '',
    reason: 'not JSON',
    message: '',
    attempts: 1,
    redrives: 0,
    state: 'open',
    errorClass: '',
    headers: [],
    key: null,
    value: 'bm90IGpzb24=',
  };
  expect(DeadLetterDetail.parse(detail)).toEqual(detail);
});

it('an order of one letter takes nothing that it would pass over', () => {
  expect(DeadLetterOrder.safeParse({ why: 'x', edited: {} }).success).toBe(true);
  expect(DeadLetterOrder.safeParse({ why: 'x', dryRun: true }).success).toBe(false);
});
