/** How long what is read may wait for more to come: as long as the least patient that reads it allows. */
import { done } from '@parley/delivery';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { counterOf, countedTopic, sumsOf } from '../../testing/counter.ts';
import { MemoryLink } from '../memory/link.ts';
import { createMemoryBroker, memoryTransport } from '../memory/open.ts';
import type { EventLog } from '../ports.ts';
import { TransportLog } from './event-log.ts';
import { GATHER_MS_MAX } from './gather.ts';
import { defaultLimits } from './limits.ts';
import type { Transport } from './transport.ts';

const topic = countedTopic('gathered');
const group = 'gathering';
const reaction = { group, topic, gatherMs: 250, handle: () => Promise.resolve(done) };

const { fetchEveryMs } = defaultLimits;
const declared: {
  readonly what: string;
  readonly on: (log: EventLog) => void;
  readonly readMs: number;
  readonly pacedMs: number;
}[] = [
  {
    what: 'a projection that is not given any time',
    readMs: 0,
    pacedMs: fetchEveryMs,
    on: (log) => {
      log.react(reaction);
      log.project(sumsOf(topic));
    },
  },
  {
    what: 'an aggregate, which never waits',
    readMs: 0,
    pacedMs: 0,
    on: (log) => {
      log.project(sumsOf(topic), { gatherMs: 100 });
      log.aggregate(counterOf(topic));
      log.react(reaction);
    },
  },
  {
    what: 'the shorter of two times',
    readMs: 100,
    pacedMs: fetchEveryMs,
    on: (log) => {
      log.project(sumsOf(topic), { gatherMs: 100 });
      log.react(reaction);
    },
  },
];

const logOn = (transport: Transport): TransportLog =>
  new TransportLog(transport, {
    service: 'gathering',
    logger: pino({ level: 'silent' }),
    limits: defaultLimits,
    hops: 'child',
    now: Date.now,
  });

it.each(declared)(
  'a topic is read as $what asks; a reaction gathers for its own time',
  async ({ on, readMs, pacedMs }) => {
    const asked: Record<string, number | undefined> = {};
    const transport = memoryTransport(createMemoryBroker(), new MemoryLink());
    const listening: Pick<Transport, 'read' | 'join'> = {
      read: (name, listener, options) => {
        if (!name.endsWith('.dlq')) [asked.read, asked.paced] = [options?.gatherMs, options?.fetchEveryMs];
        return transport.read(name, listener, options);
      },
      join: (name, of, listener, options) => {
        asked[name] = options?.gatherMs;
        return transport.join(name, of, listener, options);
      },
    };
    const log = logOn({ ...transport, ...listening });
    on(log);
    await log.start();
    expect(asked).toEqual({ read: readMs, paced: pacedMs, [group]: 250 });
    await log.close();
  },
);

it('a time that is none, or for which a member of a group would give no sign of life, is refused when it is declared', () => {
  const log = logOn(memoryTransport(createMemoryBroker(), new MemoryLink()));
  for (const gatherMs of [-1, GATHER_MS_MAX + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => log.project(sumsOf(topic), { gatherMs })).toThrow(RangeError);
    expect(() => {
      log.react({ ...reaction, gatherMs });
    }).toThrow(String(gatherMs));
  }
  for (const gatherMs of [0, GATHER_MS_MAX]) log.project(sumsOf(topic), { gatherMs });
});
