import { TopicsRefused } from '@parley/event-log';
import { describe, expect, it } from 'vitest';
import { exitCodes } from './exit.ts';
import { explained } from './run.ts';

describe('what went wrong', () => {
  it('topics with other settings than the log can be kept with are 3, named without a stack', () => {
    const fault = { topic: 'orders', setting: 'retention.ms', is: '604800000', shouldBe: '-1' };
    expect(explained(new TopicsRefused([fault]), '')).toEqual({
      text: expect.stringMatching(
        /^orders: retention\.ms is 604800000 and should be -1\. Alter the topics \(kafka-configs\.sh.*/,
      ) as string,
      exitCode: exitCodes.environment,
    });
  });

  it('what nobody foresaw is 1, with its stack, escaped', () => {
    const { text, exitCode } = explained(new Error('odd\u001b[31m'), '');
    expect(exitCode).toBe(exitCodes.failed);
    expect(text).toContain('run.unit.spec.ts');
    expect(text).not.toContain('\u001b');
  });
});
