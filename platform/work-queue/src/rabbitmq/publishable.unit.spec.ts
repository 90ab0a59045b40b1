import { expect, it } from 'vitest';
import { publishableHeaders } from './publishable.ts';

it('a table with the key that amqplib keeps for types is sent as a table, however deep it lies', () => {
  const headers = { meta: { '!': 'x', a: [{ '!': 'int', value: 'text' }] }, '!': 'top' };
  expect(publishableHeaders(headers)).toEqual({
    meta: {
      '!': 'object',
      value: { '!': 'x', a: [{ '!': 'object', value: { '!': 'int', value: 'text' } }] },
    },
    '!': 'top',
  });
});

it('what amqplib reads as a value with a type, bytes, texts and numbers are sent as they were read', () => {
  const headers = {
    time: { '!': 'timestamp', value: 1_000 },
    price: { '!': 'decimal', value: { places: 2, digits: 125 } },
    bytes: Buffer.from([0, 255]),
    text: 'x',
    none: null,
    number: 1.5,
  };
  expect(publishableHeaders(headers)).toEqual(headers);
});
