import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { SendTurns, type Sender } from './send-turns.ts';

/** Sends all that waits, and keeps how many it was each time. */
class Recorder implements Sender {
  waiting = 0;
  readonly sent: number[] = [];
  readonly #turns: SendTurns;

  constructor(turns: SendTurns) {
    this.#turns = turns;
  }

  add(commits = 1): void {
    this.waiting += commits;
    this.#turns.ask(this);
  }

  send(): number {
    const { waiting } = this;
    if (waiting > 0) this.sent.push(waiting);
    this.waiting = 0;
    return waiting;
  }
}

const LINGER_MS = 20;
const setUp = () => {
  const turns = new SendTurns({ lingerMs: LINGER_MS, lingerCommits: 4 });
  return { turns, one: new Recorder(turns), other: new Recorder(turns) };
};

const setUpWithClock = () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  return setUp();
};

it('one commit after the other waits for nobody', async () => {
  const { turns, one } = setUp();
  for (let count = 0; count < 3; count += 1) {
    one.add();
    await nextTurn();
    turns.heard();
  }
  expect(one.sent).toEqual([1, 1, 1]);
});

it('commits asked for in one turn, by whomever, are sent in the next', async () => {
  const { one, other } = setUp();
  one.add();
  other.add();
  one.add();
  expect(one.sent).toEqual([]);
  await nextTurn();
  expect([one.sent, other.sent]).toEqual([[2], [1]]);
});

it('commits that come before a round is heard of are sent together, once as long again has passed as it took', async () => {
  const { turns, one, other } = setUpWithClock();
  one.add(2);
  await nextTurn();
  one.add();
  await nextTurn();
  other.add();
  vi.advanceTimersByTime(8);
  turns.heard();
  turns.heard();
  vi.advanceTimersByTime(7);
  await nextTurn();
  expect([one.sent, other.sent]).toEqual([[2], []]);
  vi.advanceTimersByTime(1);
  expect([one.sent, other.sent]).toEqual([[2, 1], [1]]);
});

it('a commit that comes after that time waits for nobody', async () => {
  const { turns, one } = setUpWithClock();
  one.add(2);
  await nextTurn();
  vi.advanceTimersByTime(5);
  turns.heard();
  turns.heard();
  vi.advanceTimersByTime(5);
  one.add();
  await nextTurn();
  expect(one.sent).toEqual([2, 1]);
});

it('a round of so many commits waits for no others', async () => {
  const { one, other } = setUpWithClock();
  one.add();
  await nextTurn();
  one.add(3);
  await nextTurn();
  expect(one.sent).toEqual([1]);
  other.add();
  await nextTurn();
  expect([one.sent, other.sent]).toEqual([[1, 3], [1]]);
});

it('a round that is never heard of holds nothing up for longer than it may linger', async () => {
  const { one } = setUpWithClock();
  one.add();
  await nextTurn();
  one.add();
  vi.advanceTimersByTime(LINGER_MS - 1);
  expect(one.sent).toEqual([1]);
  vi.advanceTimersByTime(1);
  expect(one.sent).toEqual([1, 1]);
});
