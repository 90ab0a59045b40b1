import { expect, it } from 'vitest';
import { Flapping } from './flapping.ts';

/** A member whose consumer lasts for so long each time, and the clock. */
const set = () => {
  let nowMs = 0;
  const flapping = new Flapping(() => nowMs);
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  const ends = (times: number, afterMs = 1000): void => {
    for (let n = 0; n < times; n++) {
      flapping.onJoined([0, 1, 3]);
      pass(afterMs);
      flapping.onEnded();
    }
  };
  /** Three times in a row. */
  const endsOnPartition0 = (): void => {
    for (let n = 0; n < 3; n++) {
      flapping.onJoined([0, 1, 3]);
      flapping.onFailed(0);
      flapping.onEnded();
    }
  };
  return { flapping, pass, ends, endsOnPartition0 };
};

it('three consumers that end in a row are flapping, since the first of them, also while a fourth is let in', () => {
  const { flapping, ends } = set();
  flapping.onJoined([0, 1, 3]);
  ends(2);
  expect(flapping.state).toBeUndefined();
  ends(1);
  expect(flapping.state).toEqual({ ends: 3, since: 2 });
  flapping.onJoined([0, 1, 3]);
  expect(flapping.state).toEqual({ ends: 3, since: 2 });
  flapping.onEnded();
  expect(flapping.state).toEqual({ ends: 4, since: 2 });
});

it('what is committed in between begins the row anew', () => {
  const { flapping, ends } = set();
  ends(2);
  flapping.onJoined([0, 1, 3]);
  flapping.onCommitted(0);
  flapping.onEnded();
  ends(1);
  expect(flapping.state).toBeUndefined();
  ends(1);
  expect(flapping.state).toEqual({ ends: 3, since: 3 });
  flapping.onJoined([0, 1, 3]);
  flapping.onCommitted(0);
  expect(flapping.state).toBeUndefined();
});

it('a consumer that ends on a partition gets on with a commit of that one, and of no other', () => {
  const { flapping } = set();
  const endOn = (...partitions: readonly number[]): void => {
    flapping.onJoined([0, 1, 3]);
    for (const partition of partitions) flapping.onFailed(partition);
    flapping.onCommitted(1); // of the same fetch
    flapping.onEnded();
  };
  for (let n = 0; n < 3; n++) endOn(0);
  expect(flapping.state).toEqual({ ends: 3, since: 1 });
  endOn(0, 2);
  flapping.onJoined([0, 1, 3]);
  flapping.onCommitted(1);
  flapping.onCommitted(0);
  expect(flapping.state).toEqual({ ends: 4, since: 1 });
  flapping.onCommitted(2);
  expect(flapping.state).toBeUndefined();
});

it('a partition that failed as the group re-balanced, before a membership that ended, is none that it ended on', () => {
  const { flapping, ends } = set();
  flapping.onJoined([0, 1, 3]);
  flapping.onFailed(0);
  ends(3);
  expect(flapping.state).toEqual({ ends: 3, since: 2 });
  flapping.onJoined([0, 1, 3]);
  flapping.onCommitted(1);
  expect(flapping.state).toBeUndefined();
});

it('a membership that lasts ends it, with nothing to commit, and ends long after each other are no row', () => {
  const { flapping, pass, ends } = set();
  ends(3);
  flapping.onJoined([0, 1, 3]);
  pass(29_999);
  expect(flapping.state).toBeDefined();
  pass(1);
  expect(flapping.state).toBeUndefined();
  flapping.onEnded();
  expect(flapping.state).toBeUndefined();
  ends(5, 30_000);
  expect(flapping.state).toBeUndefined();
});

it('a consumer that lasts because its other partitions are slow is still one that ends on the failed one', () => {
  const { flapping, pass } = set();
  for (let n = 0; n < 3; n++) {
    flapping.onJoined([0, 1, 3]);
    flapping.onFailed(0);
    pass(31_000);
    flapping.onCommitted(1);
    flapping.onEnded();
  }
  flapping.onJoined([0, 1, 3]);
  flapping.onFailed(0);
  pass(31_000);
  expect(flapping.state).toEqual({ ends: 3, since: 1 });
});

it('a partition that failed and then got on in the same membership is none that it ended on', () => {
  const { flapping } = set();
  for (let n = 0; n < 3; n++) {
    flapping.onJoined([0, 1, 3]);
    flapping.onFailed(0);
    flapping.onCommitted(0);
    flapping.onFailed(1);
    flapping.onEnded();
  }
  expect(flapping.state).toEqual({ ends: 3, since: 1 });
  flapping.onJoined([0, 1, 3]);
  flapping.onCommitted(1);
  expect(flapping.state).toBeUndefined();
});

it('a member whose stuck partition went to a peer settles, although the group goes on re-balancing', () => {
  const { flapping, pass, endsOnPartition0 } = set();
  endsOnPartition0();
  for (let n = 0; n < 2; n++) {
    flapping.onJoined([0, 1, 3]);
    flapping.onCommitted(1);
    expect(flapping.state).toEqual({ ends: 3, since: 1 });
    pass(20_000);
  }
  expect(flapping.state).toBeUndefined();
});

it('consumers that end before the group has let one in are no row', () => {
  const { flapping, ends } = set();
  for (let n = 0; n < 10; n++) flapping.onEnded();
  ends(1);
  for (let n = 0; n < 10; n++) flapping.onEnded();
  expect(flapping.state).toBeUndefined();
});

it('a long good life begins the row anew, also when it ends on a failed partition', () => {
  const { flapping, pass } = set();
  for (let n = 0; n < 5; n++) {
    flapping.onJoined([0, 1, 3]);
    pass(30_000);
    flapping.onCommitted(3);
    flapping.onFailed(n % 2);
    flapping.onEnded();
    expect(flapping.state).toBeUndefined();
  }
});

it('one that has settled is not flapping again for a failure of another partition, which is tried again', () => {
  const { flapping, pass, endsOnPartition0 } = set();
  endsOnPartition0();
  flapping.onJoined([0, 1, 3]);
  pass(30_000);
  flapping.onFailed(1);
  expect(flapping.state).toBeUndefined();
  pass(60_000);
  expect(flapping.state).toBeUndefined();
});

it.each([10_000, 60_000])(
  'a re-balance %i ms after a failure does not make a stuck one look well',
  (afterMs) => {
    const { flapping, pass, endsOnPartition0 } = set();
    endsOnPartition0();
    flapping.onJoined([0, 1, 3]);
    for (let n = 0; n < 10; n++) {
      flapping.onFailed(0);
      pass(afterMs);
      flapping.onJoined([0, 1, 3]);
      expect(flapping.state).toEqual({ ends: 3, since: 1 });
    }
    pass(30_000);
    expect(flapping.state).toBeUndefined();
  },
);

it('a row that ended on what another member has now does not come back with a re-balance', () => {
  const { flapping, pass, endsOnPartition0 } = set();
  endsOnPartition0();
  flapping.onJoined([1]);
  pass(30_000);
  flapping.onJoined([0, 1]); // it was given back what it had failed on
  flapping.onFailed(0); // as the group re-balances once more
  flapping.onJoined([1]);
  expect(flapping.state).toBeUndefined();
});

it.each([0, 1])(
  'a consumer whose stuck partition takes long to fail is flapping all the same, with %i re-balances',
  (rebalances) => {
    const { flapping, pass } = set();
    for (let n = 0; n < 3; n++) {
      flapping.onJoined([0, 1]);
      pass(31_000);
      for (let m = 0; m < rebalances; m++) flapping.onJoined([0, 1]);
      flapping.onFailed(0);
      flapping.onEnded();
    }
    expect(flapping.state?.ends).toBe(3);
  },
);
