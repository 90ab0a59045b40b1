import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  atLeast,
  atLeastLimits,
  formatPosition,
  parsePositions,
  waitLimits,
  waitMsOf,
  type LogPosition,
  type PositionWaiter,
} from './consistency.ts';
import { eventTopics } from './topics.ts';

const positions = fc.record<LogPosition>({
  topic: fc.constantFrom(...eventTopics.map(({ name }) => name)),
  partition: fc.integer({ min: 0, max: 3 }),
  offset: fc.maxSafeNat(),
});

describe('positions', () => {
  it('survive being written and read', () => {
    fc.assert(
      fc.property(
        fc.array(positions, { minLength: 1, maxLength: atLeastLimits.positionsMax }),
        fc.constantFrom(',', ', ', ' ,\t'),
        (list, comma) => {
          expect(parsePositions(list.map(formatPosition).join(comma))).toEqual({
            kind: 'positions',
            positions: list,
          });
        },
      ),
    );
  });

  it('are read from any text without a throw, and only as what they would be written', () => {
    const number = fc.oneof(fc.nat().map(String), fc.string({ maxLength: 18 }));
    const nearly = fc.tuple(number, number).map(([at, offset]) => `parley.order.events/${at}@${offset}`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), nearly), (text) => {
        const parsed = parsePositions(text);
        if (parsed.kind === 'invalid') return;
        expect(parsed.positions.map(formatPosition)).toEqual(text.split(',').map((item) => item.trim()));
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['an empty item', 'parley.order.events/0@1,'],
    ['another topic', 'parley.other.events/0@1'],
    ['a partition that is not there', 'parley.order.events/4@1'],
    ['an offset that is no safe integer', 'parley.order.events/0@9007199254740992'],
    ['a sign', 'parley.order.events/0@-1'],
    ['a leading zero', 'parley.order.events/0@01'],
    ['another number', 'parley.order.events/0@1e3'],
    ['too many positions', Array.from({ length: 17 }, () => 'parley.order.events/0@1').join(',')],
    ['too long a text', `parley.order.events/0@1${' '.repeat(1024)}`],
  ])('are not read from %s', (_case, text) => {
    expect(parsePositions(text).kind).toBe('invalid');
  });
});

describe('the wait', () => {
  it.each([
    [undefined, waitLimits.defaultMs],
    ['', waitLimits.defaultMs],
    ['wait=1', 1000],
    ['respond-async, WAIT = "3"; x=y, wait=1', 3000],
    ['wait=0', 0],
    ['wait=3600', waitLimits.maxMs],
    ['wait=1.5', waitLimits.defaultMs],
    ['wait=-1', waitLimits.defaultMs],
    ['await=1', waitLimits.defaultMs],
  ])('of "Prefer: %s" is %i ms', (prefer, waitMs) => {
    expect(waitMsOf(prefer)).toBe(waitMs);
  });
});

describe('the rule', () => {
  const logAt = (outcomes: Readonly<Record<string, 'reached' | 'late' | 'not-followed'>>) => {
    const asked: [string, number][] = [];
    const log: PositionWaiter = {
      waitFor: (position, { deadlineMs }) => {
        asked.push([formatPosition(position), deadlineMs]);
        return Promise.resolve(outcomes[position.topic] ?? 'not-followed');
      },
    };
    return { log, asked };
  };
  const request = (headers: Readonly<Record<string, string>>, leftMs = 10_000) => ({
    header: (name: string) => headers[name],
    leftMs,
  });
  const order = 'parley.order.events/1@7';
  const payment = 'parley.payment.events/2@9';

  it('asks nothing of a request that names no position', async () => {
    const { log, asked } = logAt({});
    expect(await atLeast(log)(request({ prefer: 'wait=1' }))).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it('lets a request through once every position is there or is none of this service', async () => {
    const { log, asked } = logAt({ 'parley.order.events': 'reached' });
    expect(await atLeast(log)(request({ 'x-parley-at-least': `${order}, ${payment}` }))).toBeUndefined();
    expect(asked).toEqual([
      [order, waitLimits.defaultMs],
      [payment, waitLimits.defaultMs],
    ]);
  });

  it('waits no longer than the request has left', async () => {
    const { log, asked } = logAt({});
    await atLeast(log)(request({ 'x-parley-at-least': order, prefer: 'wait=3' }, 1200));
    expect(asked).toEqual([[order, 1200]]);
  });

  it('refuses what is late, for now, and names it', async () => {
    const { log } = logAt({ 'parley.order.events': 'reached', 'parley.payment.events': 'late' });
    const refusal = await atLeast(log)(request({ 'x-parley-at-least': `${order},${payment}` }));
    expect(refusal).toMatchObject({ code: 'NOT_YET_CONSISTENT', retryAfterSeconds: 1 });
    // The log is late at once when too many wait: the answer must not claim to have waited.
    expect(refusal?.detail).toBe(`This service has not come to ${payment} yet; it waits 2000 ms at most.`);
  });

  it('refuses rubbish for good, names the header and asks no log', async () => {
    const { log, asked } = logAt({});
    expect(await atLeast(log)(request({ 'x-parley-at-least': 'rubbish' }))).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ path: 'x-parley-at-least' }],
    });
    expect(asked).toEqual([]);
  });
});
