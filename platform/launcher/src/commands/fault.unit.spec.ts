import { describe, expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { faultOf } from './fault-options.ts';
import { faultCommand } from './fault.ts';

describe('the options of a fault', () => {
  it.each([
    [{ 'error-rate': '1', for: '30s' }, [{ errorRate: 1, forMs: 30_000 }]],
    [{ latency: '200ms' }, [{ latencyMs: 200, failure: 'none' }]],
    [{ latency: '2s', status: '500' }, [{ latencyMs: 2_000, status: 500 }]],
    [{ hang: true, calls: '3', route: 'POST /x' }, [{ route: 'POST /x', failure: 'hang', calls: 3 }]],
    [{ reset: true, for: '1m' }, [{ failure: 'reset', forMs: 60_000 }]],
    [{ clear: true }, []],
    [{ json: true }, undefined],
  ])('%j are %j', (values, expected) => {
    expect(faultOf(values)).toEqual(expected);
  });

  it.each([
    { for: '30' },
    { latency: '-1s' },
    { 'error-rate': 'all' },
    { calls: '1e3' },
    { hang: true, reset: true },
    { clear: true, hang: true },
  ])('%j are wrong usage', (values) => {
    expect(() => faultOf(values)).toThrow(expect.objectContaining({ exitCode: exitCodes.usage }));
  });
});

it.each([[[]], [['toString']], [['payment', 'order']], [['payment', '--nothing']]])(
  'npm run fault %j is wrong usage',
  async (argv) => {
    await expect(faultCommand.run({}, argv)).rejects.toMatchObject({ exitCode: exitCodes.usage });
  },
);
