import { expect, it } from 'vitest';
import { idOf, lastSettled, markHeaders } from './letters.ts';

const definition = {
  exchange: 'x',
  queue: 'q',
  routingKey: 'q',
  deadLetterExchange: 'd',
  deadLetterQueue: 'q.dead-letters',
};

it('a letter without a message id has one of its body, so that it can be shown and ordered', () => {
  const id = idOf(definition, { messageId: '', body: Buffer.from('not json') });
  expect(id).toMatch(/^q:sha256-[0-9a-f]{16}$/);
  expect(idOf(definition, { messageId: '', body: Buffer.from('not json') })).toBe(id);
  expect(idOf(definition, { messageId: '', body: Buffer.from('other') })).not.toBe(id);
  expect(idOf(definition, { messageId: 'm-1', body: Buffer.from('not json') })).toBe('q:m-1');
});

it('of settled letters the last ones are listed, in whatever order the queue hands them out', () => {
  const settled = [3, 1, 4, 2].map((ms) => ({ headers: markHeaders('discarded', 'a test', ms), ms }));
  expect(lastSettled(settled, 2).map(({ ms }) => ms)).toEqual([3, 4]);
});
