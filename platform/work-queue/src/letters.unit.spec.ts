import { expect, it } from 'vitest';
import { idOf } from './letters.ts';

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
