/** What becomes of an event that a reaction cannot handle, and of those behind it. */
import { deadLetter, done, notYet, type LetterSummary, type Verdict } from '@parley/delivery';
import { expect, it } from 'vitest';
import type { EventLog, EventTopic } from '../src/ports.ts';
import { counted, counterOf, type Counted } from './counter.ts';
import { freshTopic, metadata, WAIT_MS_MAX, type Nodes } from './harness.ts';

const PATIENCE = { timeout: WAIT_MS_MAX, interval: 20 };

/** Answers the verdict on a note. */
type Handle = (note: string, attempt: number) => Verdict | Promise<Verdict>;

export function deadLetterSuite(nodes: Nodes): void {
  const open = async (topic: EventTopic<Counted>, handle: Handle) => {
    const handled: string[] = [];
    const { log } = await nodes.open({ limits: { reactionAttempts: 2 } });
    const counters = log.aggregate(counterOf(topic));
    log.react({
      group: `${topic.name}.group`,
      topic,
      handle: async ({ event }, { attempt }) => {
        const verdict = await handle(event.data.note, attempt);
        if (verdict.kind === 'done') handled.push(event.data.note);
        return verdict;
      },
    });
    await log.start();
    const add = async (streamId: string, note: string): Promise<void> => {
      const decide = () => ({ kind: 'events' as const, events: [counted(1, note)] });
      const outcome = await counters.execute({ streamId, commandId: crypto.randomUUID(), decide, metadata });
      expect(outcome.kind).toBe('accepted');
    };
    return { log, handled, add };
  };
  const states = async (log: EventLog): Promise<string[]> =>
    (await log.deadLetters.list()).map(({ subject, reason, state }) => `${subject} ${reason} ${state}`);
  const letterOf = async (log: EventLog, reason: string): Promise<LetterSummary> => {
    const letter = (await log.deadLetters.list()).find((each) => each.reason === reason);
    if (letter === undefined) throw new Error(`no letter is ${reason}`);
    return letter;
  };
  const one = (): EventTopic<Counted> => ({ ...freshTopic(), partitions: 1 });
  const poison =
    (broken: { now: boolean }): Handle =>
    (note) => {
      if (note === 'poison' && broken.now) throw new Error('no address');
      return done;
    };

  it('later events of a stream are parked behind one that is dead, and the other streams go on; redriven, they follow in order, once each', async () => {
    const topic = one();
    const broken = { now: true };
    const { log, handled, add } = await open(topic, poison(broken));
    for (const note of ['1', 'poison', '3', '4']) await add('s', note);
    await add('t', 'other');
    await expect.poll(() => handled, PATIENCE).toEqual(['1', 'other']);
    await expect
      .poll(() => states(log), PATIENCE)
      .toEqual(['s attempts-exhausted open', 's parked-behind open', 's parked-behind open']);
    // The offset is committed after the letters are written.
    await expect
      .poll(() => log.health().reactions, PATIENCE)
      .toMatchObject([{ lag: 0, deadLetters: 3, openDeadLetters: 3 }]);
    const { id } = await letterOf(log, 'attempts-exhausted');
    // While it is broken it dies again, and everything behind it waits.
    expect(await log.deadLetters.redrive(id, { why: 'try' })).toEqual({ kind: 'ok' });
    await expect.poll(() => letterOf(log, 'attempts-exhausted'), PATIENCE).toMatchObject({ redrives: 1 });
    expect(handled).toEqual(['1', 'other']);
    broken.now = false;
    await Promise.all(Array.from({ length: 5 }, () => log.deadLetters.redrive(id, { why: 'mended' })));
    await expect.poll(() => handled, PATIENCE).toEqual(['1', 'other', 'poison', '3', '4']);
    await add('s', '5');
    await expect.poll(() => handled.at(-1), PATIENCE).toBe('5');
    await expect.poll(() => log.health().reactions, PATIENCE).toMatchObject([{ openDeadLetters: 0 }]);
    expect(await states(log)).toEqual([
      's attempts-exhausted redriven',
      's parked-behind redriven',
      's parked-behind redriven',
    ]);
    expect(handled).toHaveLength(6);
  });

  it('what is parked stays so for the process that comes next, which goes on with what was asked for', async () => {
    const topic = one();
    const broken = { now: true };
    const first = await open(topic, poison(broken));
    for (const note of ['poison', '2']) await first.add('s', note);
    await expect.poll(() => states(first.log), PATIENCE).toHaveLength(2);
    await first.log.close();
    const second = await open(topic, poison(broken));
    await second.add('s', '3');
    await expect.poll(() => states(second.log), PATIENCE).toHaveLength(3);
    expect(second.handled).toEqual([]);
    broken.now = false;
    const { id } = await letterOf(second.log, 'attempts-exhausted');
    await second.log.deadLetters.redrive(id, { why: 'mended' });
    await second.log.close({ deadlineMs: 1_000 });
    const third = await open(topic, poison(broken));
    const all = () => [...second.handled, ...third.handled];
    await expect.poll(all, PATIENCE).toEqual(expect.arrayContaining(['poison', '2', '3']));
    await expect.poll(() => third.log.health().reactions, PATIENCE).toMatchObject([{ openDeadLetters: 0 }]);
    expect([...new Set(all())]).toEqual(['poison', '2', '3']);
  });

  it('a letter that is discarded holds up nothing any more, and one that is edited is handled as it says now', async () => {
    const topic = one();
    const { log, handled, add } = await open(topic, (note) =>
      note.startsWith('poison') ? deadLetter(note) : done,
    );
    for (const note of ['poison a', '2', 'poison b', '4']) await add('s', note);
    await expect.poll(() => states(log), PATIENCE).toHaveLength(4);
    const first = await letterOf(log, 'poison a');
    expect(await log.deadLetters.show(first.id)).toMatchObject({ decoded: { by: 1, note: 'poison a' } });
    expect(await log.deadLetters.discard(first.id, { why: 'a test' })).toEqual({ kind: 'ok' });
    // What was only parked is handled as soon as nothing is open before it, and may be dead itself.
    const openLetters = async () =>
      (await log.deadLetters.list()).filter(({ state }) => state === 'open').map(({ redrives }) => redrives);
    await expect.poll(openLetters, PATIENCE).toEqual([1, 0]);
    expect(handled).toEqual(['2']);
    const id = (await log.deadLetters.list()).find(({ redrives }) => redrives === 1)?.id ?? '';
    expect(await log.deadLetters.redrive(id, { why: 'x', edited: { by: 'one' } })).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('by') as string,
    });
    const edited = { by: 1, note: 'mended' };
    expect(await log.deadLetters.redrive(id, { why: 'mended', edited })).toEqual({ kind: 'ok' });
    await expect.poll(() => handled, PATIENCE).toEqual(['2', 'mended', '4']);
    expect(await log.deadLetters.redrive(id, { why: 'again' })).toEqual({ kind: 'not-found' });
  });

  it('a redrive that waits ends when its letter is discarded, and the next one is made', async () => {
    const topic = one();
    const dependency = { state: 'broken', asked: 0 };
    const { log, handled, add } = await open(topic, (note) => {
      if (dependency.state === 'broken') return deadLetter(note);
      if (note !== 'waits') return done;
      dependency.asked += 1;
      return notYet('away');
    });
    await add('s', 'waits');
    await add('t', 'other');
    await expect.poll(() => states(log), PATIENCE).toHaveLength(2);
    dependency.state = 'away';
    const [waiting, other] = [await letterOf(log, 'waits'), await letterOf(log, 'other')];
    expect(await log.deadLetters.redrive(waiting.id, { why: 'mended' })).toEqual({ kind: 'ok' });
    await expect.poll(() => dependency.asked, PATIENCE).toBeGreaterThan(1);
    expect(await log.deadLetters.redrive(other.id, { why: 'mended' })).toEqual({ kind: 'ok' });
    expect(await log.deadLetters.discard(waiting.id, { why: 'no longer wanted' })).toEqual({ kind: 'ok' });
    await expect.poll(() => handled, PATIENCE).toEqual(['other']);
  });

  it('a record that no reader can read is a letter at once, and parks nothing', async () => {
    const topic = one();
    const { log, handled, add } = await open(topic, () => done);
    const harness = await nodes.harness();
    const value = Buffer.from([9, 0, 255]);
    await harness.appendRaw(topic.name, 0, {
      key: Buffer.from('s'),
      value,
      headers: { own: Buffer.from([0, 200]) },
    });
    await add('s', 'good');
    await expect.poll(() => handled, PATIENCE).toEqual(['good']);
    const [letter] = await log.deadLetters.list();
    expect(letter).toMatchObject({ subject: 's', attempts: 0, position: '0@0', state: 'open' });
    expect(letter?.reason).toMatch(/^undecodable: /);
    const detail = await log.deadLetters.show(letter?.id ?? '');
    expect(detail).toMatchObject({ value: value.toString('base64'), headers: [['own', '00c8']] });
    expect(await log.deadLetters.redrive(letter?.id ?? '', { why: 'x' })).toMatchObject({ kind: 'refused' });
    expect(await log.deadLetters.discard(letter?.id ?? '', { why: 'x' })).toEqual({ kind: 'ok' });
    expect(await states(log)).toEqual([expect.stringMatching(/ discarded$/)]);
  });

  it('an event that fails again and again holds up no other partition', async () => {
    const topic = { ...freshTopic(), partitions: 4 };
    const released = Promise.withResolvers<undefined>();
    let failures = 0;
    const { handled, add } = await open(topic, async (note) => {
      if (note !== 'slow') return done;
      if (failures++ === 0) throw new Error('once');
      await released.promise;
      return done;
    });
    await add('s-0', 'slow');
    await expect.poll(() => failures, PATIENCE).toBe(2);
    const streams = Array.from({ length: 16 }, (_, n) => `other-${String(n)}`);
    for (const stream of streams) await add(stream, stream);
    await expect.poll(() => handled.length, PATIENCE).toBeGreaterThanOrEqual(8);
    expect(handled).not.toContain('slow');
    released.resolve(undefined);
    await expect.poll(() => handled.length, PATIENCE).toBe(17);
  });
}
