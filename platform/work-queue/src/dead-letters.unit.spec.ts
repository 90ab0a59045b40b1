import { expect, it } from 'vitest';
import { awaitedRoom } from './dead-letters.ts';

it.each([
  [0, undefined],
  [1, 'room in q.dead-letters, which is full: 1 message is held back'],
  [2, 'room in q.dead-letters, which is full: 2 messages are held back'],
])('a consumer that holds %i dead messages back says how many', (held, said) => {
  expect(awaitedRoom('q.dead-letters', held)).toBe(said);
});
