import { describe, expect, it } from 'vitest';
import { nextRestart } from './backoff.ts';

describe('the pause before a restart', () => {
  it('doubles with each death in a row, up to half a minute', () => {
    const pauses: number[] = [];
    let failures = 0;
    for (let death = 0; death < 10; death++) {
      const restart = nextRestart(failures, 100);
      failures = restart.failures;
      pauses.push(restart.pauseMs);
    }
    expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('is short again after a minute without a death', () => {
    expect(nextRestart(9, 60_000)).toEqual({ failures: 1, pauseMs: 250 });
  });
});
