/** How long a reaction may take, and what becomes of one that takes longer. */
import { done } from '@parley/delivery';
import { expect, it } from 'vitest';
import { counterOf } from './counter.ts';
import { freshTopic, run, WAIT_MS_MAX, type Nodes } from './harness.ts';

const PATIENCE = { timeout: WAIT_MS_MAX, interval: 20 };
const limits = { handleDeadlineMs: 300 };

export function reactionSuite(nodes: Nodes): void {
  it('a reaction that takes too long is told to end, and is tried again once it has', async () => {
    const topic = freshTopic();
    const { log } = await nodes.open({ limits });
    const counters = log.aggregate(counterOf(topic));
    const seen: string[] = [];
    log.react({
      group: `${topic.name}.slow`,
      topic,
      handle: async ({ event }, { signal, attempt }) => {
        seen.push(`${String(event.data.by)}, attempt ${String(attempt)}`);
        if (attempt > 1 || event.data.by > 1) return done;
        return await new Promise<never>((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error);
          });
        });
      },
    });
    await log.start();
    await run(counters, 's', 1);
    await run(counters, 's', 2);
    await expect.poll(() => seen, PATIENCE).toEqual(['1, attempt 1', '1, attempt 2', '2, attempt 1']);
    await expect
      .poll(() => log.health().reactions, PATIENCE)
      .toMatchObject([{ handled: 2, stalled: undefined }]);
  });

  it('a reaction that does not end when it is told to runs once at a time, also when its partition comes back', async () => {
    const topic = freshTopic();
    const harness = await nodes.harness();
    const group = `${topic.name}.deaf`;
    const { log, link } = await nodes.open({ limits });
    const counters = log.aggregate(counterOf(topic));
    const calls: PromiseWithResolvers<undefined>[] = [];
    log.react({
      group,
      topic,
      handle: async () => {
        const call = Promise.withResolvers<undefined>();
        calls.push(call);
        await call.promise;
        return done;
      },
    });
    await log.start();
    await run(counters, 's', 1);
    const stalled = () => log.health().reactions[0]?.stalled;
    await expect.poll(stalled, PATIENCE).toMatchObject({
      position: { offset: 0 },
      attempt: 1,
      error: 'handle has not ended within 300 ms; it is not called again before it ends',
    });
    link.hold('requests');
    const release = await harness.takeGroup(group, topic.name);
    link.release();
    await expect.poll(() => log.health().reactions, PATIENCE).toMatchObject([{ joined: false }]);
    await release();
    await expect.poll(() => log.health().reactions, PATIENCE).toMatchObject([{ joined: true }]);
    // In its new turn the event is waited for, so what comes later is not handled either, and both are told.
    const lag = () => log.health().reactions[0]?.lag;
    await run(counters, 's', 2);
    await expect.poll(lag, PATIENCE).toBe(2);
    expect(stalled()).toMatchObject({ position: { offset: 0 }, attempt: 1 });
    await run(counters, 's', 4);
    await expect.poll(lag, PATIENCE).toBe(3);
    expect(stalled()).toMatchObject({ position: { offset: 0 }, attempt: 1 });
    expect(calls).toHaveLength(1);
    calls[0]?.reject(new Error('at last'));
    await expect.poll(() => calls.length, PATIENCE).toBe(2);
    calls[1]?.resolve(undefined);
    for (const index of [2, 3]) {
      await expect.poll(() => calls.length, PATIENCE).toBe(index + 1);
      calls[index]?.resolve(undefined);
    }
    await expect
      .poll(() => log.health().reactions, PATIENCE)
      .toMatchObject([{ handled: 3, lag: 0, stalled: undefined }]);
  });

  it('a reaction that fails on one event tells how often while others recover, says it in its health without the error, and stays ready', async () => {
    const topic = { ...freshTopic(), partitions: 1 };
    const { counters } = await nodes.node(topic);
    await run(counters, 'broken', 1);
    await run(counters, 'other', 1);
    // However late it is seen to fail, it is no dead letter yet.
    const { log } = await nodes.open({ limits: { reactionAttempts: 1000 } });
    const group = `${topic.name}.failing`;
    const thirdFailure = Promise.withResolvers<undefined>();
    const others: (number | undefined)[] = [];
    let broken = true;
    const stalled = () => log.health().reactions[0]?.stalled;
    log.react({
      group,
      topic,
      handle: async ({ streamId }, { attempt }) => {
        if (streamId === 'broken') {
          if (attempt === 4) thirdFailure.resolve(undefined);
          if (broken) throw new Error('alice has no address');
          return done;
        }
        await thirdFailure.promise;
        others.push(stalled()?.position.offset);
        if (attempt === 1) throw new Error('once');
        return done;
      },
    });
    await log.start();
    await expect.poll(() => others.length, PATIENCE).toBe(2);
    const { offset } = stalled()?.position ?? {};
    expect(others).toEqual([offset, offset]);
    expect(stalled()?.attempt).toBeGreaterThanOrEqual(3);
    const { ready, waitingFor } = log.health();
    expect(ready).toBe(true);
    expect(waitingFor).toMatch(
      new RegExp(`^the reaction ${group} to handle ${topic.name}/0@${String(offset)}, at attempt \\d+$`),
    );
    broken = false;
    await expect
      .poll(() => log.health(), PATIENCE)
      .toMatchObject({
        waitingFor: undefined,
        reactions: [{ handled: 2, stalled: undefined }],
      });
  });
}
