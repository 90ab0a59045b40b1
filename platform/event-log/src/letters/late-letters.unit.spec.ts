/** Letters and marks of members that are none any more, and records that are handed out again. */
import { deadLetter, done, notYet, type Verdict } from '@parley/delivery';
import { afterEach, expect, it, vi } from 'vitest';
import { counted, counterOf, countedTopic } from '../../testing/counter.ts';
import { metadata } from '../../testing/harness.ts';
import { partitionOf } from '../log/partition-of.ts';
import { MemoryLink } from '../memory/link.ts';
import { createMemoryBroker, openMemoryLog } from '../memory/open.ts';
import type { EventLog } from '../ports.ts';

const group = 'g';
const logs: EventLog[] = [];
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close({ deadlineMs: 1_000 });
});

const setUp = (name: string, partitions = 1) => {
  const broker = createMemoryBroker();
  const topic = { ...countedTopic(name), partitions };
  const open = async (handle?: (note: string) => Verdict | Promise<Verdict>) => {
    const link = new MemoryLink();
    const log = openMemoryLog({ broker, link });
    logs.push(log);
    const counters = log.aggregate(counterOf(topic));
    const calls: string[] = [];
    if (handle !== undefined)
      log.react({
        group,
        topic,
        handle: ({ event }) => {
          calls.push(event.data.note);
          return Promise.resolve(handle(event.data.note));
        },
      });
    await log.start();
    const add = async (streamId: string, note: string): Promise<void> => {
      const decide = () => ({ kind: 'events' as const, events: [counted(1, note)] });
      const outcome = await counters.execute({ streamId, commandId: crypto.randomUUID(), decide, metadata });
      expect(outcome.kind).toBe('accepted');
    };
    const states = async () =>
      (await log.deadLetters.list()).map(({ subject, state }) => `${subject} ${state}`);
    return { log, link, calls, add, states };
  };
  return { broker, topic, open };
};

it.each(['discarded', 'redriven'] as const)(
  'a record that is handed out again, whose letter was %s before its offset was committed, is not handled again: by the same process, or by the next one',
  async (as) => {
    const { broker, open } = setUp('settled');
    const writer = await open();
    await writer.add('s', 'poison');
    await writer.add('t', 'hangs');
    let isBroken = true;
    const hanging = new Promise<Verdict>(() => undefined);
    const handle = (note: string) =>
      note === 'hangs' ? hanging : isBroken && note === 'poison' ? deadLetter('broken') : done;
    const first = await open(handle);
    await expect.poll(first.states).toEqual(['s open']);
    isBroken = false;
    const [letter] = await first.log.deadLetters.list();
    if (as === 'discarded') await first.log.deadLetters.discard(letter?.id ?? '', { why: 'a test' });
    else await first.log.deadLetters.redrive(letter?.id ?? '', { why: 'mended' });
    await expect.poll(first.states).toEqual([`s ${as}`]);
    const calls = first.calls.filter((note) => note === 'poison').length;
    expect(calls).toBe(as === 'discarded' ? 1 : 2);
    broker.takeGroup(group)();
    await first.add('s', 'behind it');
    await first.log.close({ deadlineMs: 100 });
    const second = await open((note) => (note === 'hangs' ? done : handle(note)));
    await expect.poll(() => second.calls).toContain('behind it');
    expect(second.calls).not.toContain('poison');
    expect(first.calls.filter((note) => note === 'poison')).toHaveLength(calls);
  },
);

/** A member whose dead letter of a `poison` is held on its way to the broker. @param decided called before it is sent */
const heldLetter = async (
  open: ReturnType<typeof setUp>['open'],
  stream: string,
  decided: () => void = () => undefined,
) => {
  const called = Promise.withResolvers<undefined>();
  const verdict = Promise.withResolvers<Verdict>();
  const former = await open((note) => {
    if (note !== 'poison') return done;
    called.resolve(undefined);
    return verdict.promise;
  });
  const writer = await open();
  await writer.add(stream, 'poison');
  await called.promise;
  decided();
  former.link.hold('requests');
  verdict.resolve(deadLetter('broken'));
  await new Promise((resolve) => setImmediate(resolve));
  return { former, writer };
};

it('the letter of a member that has lost its partition, which arrives when the next one has handled the event, is none', async () => {
  const { broker, topic, open } = setUp('late', 2);
  const stream = ['a', 'b', 'c', 'd', 'e'].find((each) => partitionOf(each, 2) === 1) ?? '';
  const { former, writer } = await heldLetter(open, stream);
  const next = await open(() => done);
  await writer.add(stream, '2');
  await expect.poll(() => next.calls).toEqual(['poison', '2']);
  const { length } = broker.records(`${topic.name}.${group}.dlq`, 1);
  former.link.release();
  await expect.poll(() => broker.records(`${topic.name}.${group}.dlq`, 1).length).toBe(length + 1);
  await writer.add(stream, '3');
  await expect.poll(() => next.calls).toEqual(['poison', '2', '3']);
  expect(await next.states()).toEqual([]);
  // The next process reads the same.
  await next.log.close();
  expect(await (await open(() => done)).states()).toEqual([]);
});

it('a member that has lost its partition and does not know yet claims it again for a late letter, and adds nothing before its group has answered', async () => {
  const { broker, topic, open } = setUp('unaware', 2);
  const dlq = () => broker.records(`${topic.name}.${group}.dlq`, 1);
  const stream = ['a', 'b', 'c', 'd', 'e'].find((each) => partitionOf(each, 2) === 1) ?? '';
  const heartbeat = Promise.withResolvers<undefined>();
  heartbeat.promise.catch(() => undefined); // it may be rejected before the member asks
  let isUnaware = false;
  const join = broker.join.bind(broker);
  vi.spyOn(broker, 'join').mockImplementationOnce((name, of, listener) =>
    join(name, of, {
      onAssigned: (partitions) => {
        listener.onAssigned(partitions);
      },
      onLost: (why) => {
        listener.onLost(why);
      },
      onBatch: (batch) =>
        listener.onBatch({
          ...batch,
          isActive: () => isUnaware || batch.isActive(),
          heartbeat: () => (isUnaware ? heartbeat.promise : batch.heartbeat()),
        }),
    }),
  );
  const { former, writer } = await heldLetter(open, stream, () => {
    isUnaware = true;
  });
  const next = await open(() => done);
  await writer.add(stream, '2');
  await expect.poll(() => next.calls).toEqual(['poison', '2']);
  const { length } = dlq();
  former.link.release();
  await expect.poll(() => dlq().length).toBe(length + 2); // the letter, and a claim
  heartbeat.reject(new Error('the group has re-balanced'));
  await former.log.close({ deadlineMs: 1_000 });
  await writer.add(stream, '3');
  await expect.poll(() => next.calls).toEqual(['poison', '2', '3']);
  expect(await next.states()).toEqual([]);
});

it('a claim that fails holds up its partition alone, is told, and is made again', async () => {
  const { broker, open } = setUp('unclaimed', 2);
  const [first, second] = [0, 1].map(
    (partition) => ['a', 'b', 'c', 'd', 'e'].find((each) => partitionOf(each, 2) === partition) ?? '',
  );
  const { log, calls, add } = await open((note) =>
    note === 'hangs' ? new Promise<Verdict>(() => undefined) : done,
  );
  await add(first ?? '', 'hangs');
  await expect.poll(() => calls).toEqual(['hangs']);
  broker.failNextSends('none', 'lost'); // the event, the claim
  await add(second ?? '', 'waits');
  const stalled = () => log.health().reactions[0]?.stalled;
  await expect.poll(stalled).toMatchObject({ position: { partition: 1 }, attempt: 1 });
  await expect.poll(() => calls, { timeout: 5_000 }).toEqual(['hangs', 'waits']);
  expect(stalled()).toBeUndefined();
});

it('redrives of other streams do not wait for one that has to wait', async () => {
  const { open } = setUp('waiting');
  let state: 'broken' | 'away' = 'broken';
  const { log, calls, add, states } = await open((note) => {
    if (state === 'broken') return deadLetter('broken');
    return note === 'waits' ? notYet('away') : done;
  });
  await add('s', 'waits');
  await add('t', 'other');
  await expect.poll(states).toEqual(['s open', 't open']);
  state = 'away';
  const [first, second] = await log.deadLetters.list();
  await log.deadLetters.redrive(first?.id ?? '', { why: 'mended' });
  await expect.poll(() => calls.filter((note) => note === 'waits').length).toBeGreaterThan(2);
  await log.deadLetters.redrive(second?.id ?? '', { why: 'mended' });
  await expect.poll(states).toEqual(['s requested', 't redriven']);
});
