import { deadLetter, done } from '@parley/delivery';
import { expect, it } from 'vitest';
import type { WorkQueue } from '../src/ports.ts';
import { definitionOf, letterRules, messageOf } from './fixtures.ts';

/** What people may do with dead letters, on every adapter of the work queue. */
export const letterFeatures = ({
  open,
  until,
}: {
  readonly open: () => Promise<WorkQueue>;
  readonly until: (check: () => void | Promise<void>) => Promise<void>;
}): void => {
  it('a dead letter is told, shown, and redriven as it is or as it was edited; what is discarded is gone from the open ones', async () => {
    const definition = definitionOf('letters');
    const queue = await open();
    const worked: string[] = [];
    let broken = true;
    queue.consume(definition, {
      letters: letterRules,
      handle: ({ body }) => {
        if (broken || body.toString().includes('poison')) return Promise.resolve(deadLetter('poison'));
        worked.push(body.toString());
        return Promise.resolve(done);
      },
    });
    const bodies = ['{"n":1}', '{"n":"poison 2"}', '{"n":"poison 3"}'];
    const sent = bodies.map((body) => messageOf({ body: Buffer.from(body), headers: { own: 'header' } }));
    for (const message of sent) await queue.publisher(definition).publish(message);
    const open3 = async () =>
      (await queue.deadLetters.list()).filter(({ state }) => state === 'open').map(({ id }) => id);
    const ids = sent.map(({ messageId }) => `${definition.queue}:${messageId}`);
    await until(async () => {
      expect((await open3()).sort()).toEqual([...ids].sort());
    });
    const [plain = '', edited = '', discarded = ''] = ids;
    expect(await queue.deadLetters.show(edited)).toMatchObject({
      reason: 'poison',
      subject: `subject ${bodies[1] ?? ''}`,
      decoded: { n: 'poison 2' },
      value: Buffer.from(bodies[1] ?? '').toString('base64'),
      headers: expect.arrayContaining([['own', 'header']]) as unknown,
    });
    broken = false;
    const much = { why: 'mended', edited: { n: 'much' } };
    expect(await queue.deadLetters.redrive(edited, much)).toMatchObject({ why: 'n is no number' });
    expect(await queue.deadLetters.redrive(plain, { why: 'mended' })).toEqual({ kind: 'ok' });
    expect(await queue.deadLetters.redrive(plain, { why: 'again' })).toEqual({ kind: 'not-found' });
    const two = { why: 'mended', edited: { n: 2 } };
    expect(await queue.deadLetters.redrive(edited, two)).toEqual({ kind: 'ok' });
    expect(await queue.deadLetters.discard(discarded, { why: 'a test' })).toEqual({ kind: 'ok' });
    await until(() => {
      expect([...worked].sort()).toEqual(['{"n":1}', '{"n":2}']);
    });
    expect(await open3()).toEqual([]);
    const settled = (await queue.deadLetters.list()).map(({ id, state, note }) => [id, state, note]);
    expect(settled.sort()).toEqual(
      [
        [plain, 'redriven', 'mended'],
        [edited, 'redriven', 'mended'],
        [discarded, 'discarded', 'a test'],
      ].sort(),
    );
  });

  it('refuses the redrive of a letter that was redriven 20 times, and takes its discard', async () => {
    const definition = definitionOf('redriven-often');
    const queue = await open();
    queue.consume(definition, { handle: () => Promise.resolve(deadLetter('poison')) });
    const sent = messageOf({ headers: { 'x-redrives': '19' } });
    await queue.publisher(definition).publish(sent);
    const id = `${definition.queue}:${sent.messageId}`;
    const isDeadAgain = (redrives: number) =>
      until(async () => {
        const letters = await queue.deadLetters.list();
        expect(letters.filter(({ state }) => state === 'open')).toMatchObject([{ id, redrives }]);
      });
    await isDeadAgain(19);
    expect(await queue.deadLetters.redrive(id, { why: 'once more' })).toEqual({ kind: 'ok' });
    await isDeadAgain(20);
    expect(await queue.deadLetters.redrive(id, { why: 'once more' })).toEqual({
      kind: 'refused',
      why: 'it was redriven 20 times: discard it',
    });
    await isDeadAgain(20);
    expect(await queue.deadLetters.discard(id, { why: 'a test' })).toEqual({ kind: 'ok' });
  });
};
