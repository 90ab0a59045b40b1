import { afterEach, describe, expect, it } from 'vitest';
import { deadLetter, done, notYet, type Verdict } from '../src/index.ts';

/** One consumer of one source on the broker under test. */
export interface Delivering {
  /** Stores a text in a sequence: those of one are delivered in order. */
  send(text: string, sequence?: string): Promise<void>;
  /** Why texts are dead, by text: reason, class of the error, message, and number of calls that failed. */
  dead(): Promise<readonly DeadText[]>;
  close(): Promise<void>;
}

interface DeadText {
  readonly text: string;
  readonly reason: string;
  readonly errorClass: string;
  readonly message: string;
  readonly attempts: number;
}

export interface DeliveryHarness {
  open(options: {
    readonly attempts: number;
    readonly handle: (text: string, attempt: number) => Promise<Verdict>;
  }): Promise<Delivering>;
}

const PATIENCE = { timeout: 120_000, interval: 20 };
/** Of a test, which waits several times. */
const TEST_MS_MAX = 5 * PATIENCE.timeout;

/** What a delivery is, whatever it travels on. */
export const deliverySuite = (name: string, harness: DeliveryHarness): void => {
  describe(`a delivery on ${name}`, { timeout: TEST_MS_MAX }, () => {
    const opened: Delivering[] = [];
    afterEach(async () => {
      for (const each of opened.splice(0)) await each.close();
    });
    const open = async (
      handle: (text: string, attempt: number) => Verdict,
      attempts = 3,
    ): Promise<{ delivering: Delivering; calls: string[] }> => {
      const calls: string[] = [];
      const delivering = await harness.open({
        attempts,
        handle: (text, attempt) => {
          calls.push(`${text} ${String(attempt)}`);
          return new Promise((resolve) => {
            resolve(handle(text, attempt)); // a throw becomes a rejection
          });
        },
      });
      opened.push(delivering);
      return { delivering, calls };
    };

    it('that is done is not delivered again, and is no dead letter', async () => {
      const { delivering, calls } = await open(() => done);
      await delivering.send('a');
      await delivering.send('b');
      await expect.poll(() => calls, PATIENCE).toEqual(['a 1', 'b 1']);
      expect(await delivering.dead()).toEqual([]);
    });

    it('that fails is repeated until it is done', async () => {
      const { delivering, calls } = await open((_text, attempt) => {
        if (attempt < 3) throw new Error('broken');
        return done;
      });
      await delivering.send('a');
      await expect.poll(() => calls, PATIENCE).toEqual(['a 1', 'a 2', 'a 3']);
      expect(await delivering.dead()).toEqual([]);
    });

    it('that has to wait is repeated without using up an attempt', async () => {
      const { delivering, calls } = await open((_text, attempt) => (attempt < 4 ? notYet('away') : done), 1);
      await delivering.send('a');
      await expect.poll(() => calls, PATIENCE).toEqual(['a 1', 'a 2', 'a 3', 'a 4']);
      expect(await delivering.dead()).toEqual([]);
    });

    it('that fails too often is a dead letter with its error, and the good ones around it are done', async () => {
      const { delivering, calls } = await open((text) => {
        if (text === 'poison') throw new TypeError('no address');
        return done;
      });
      for (const text of ['before', 'poison', 'after']) await delivering.send(text, text);
      await expect
        .poll(() => delivering.dead(), PATIENCE)
        .toEqual([
          {
            text: 'poison',
            reason: 'attempts-exhausted',
            errorClass: 'TypeError',
            message: 'no address',
            attempts: 3,
          },
        ]);
      await expect.poll(() => calls, PATIENCE).toContain('after 1');
      expect([...calls].sort()).toEqual(['after 1', 'before 1', 'poison 1', 'poison 2', 'poison 3']);
    });

    it('that has waited is a dead letter of as many attempts as have failed', async () => {
      const { delivering, calls } = await open((_text, attempt) => {
        if (attempt < 3) return notYet('away');
        throw new Error('broken');
      }, 2);
      await delivering.send('a');
      await expect.poll(() => delivering.dead(), PATIENCE).toMatchObject([{ text: 'a', attempts: 2 }]);
      expect(calls).toEqual(['a 1', 'a 2', 'a 3', 'a 4']);
    });

    it('that can never succeed is a dead letter at once', async () => {
      const { delivering, calls } = await open(() => deadLetter('unreadable'));
      await delivering.send('a');
      await expect
        .poll(() => delivering.dead(), PATIENCE)
        .toEqual([{ text: 'a', reason: 'unreadable', errorClass: '', message: 'unreadable', attempts: 1 }]);
      expect(calls).toEqual(['a 1']);
    });
  });
};
