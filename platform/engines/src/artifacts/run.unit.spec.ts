import { expect, it } from 'vitest';
import { processesWith } from '../procfs.ts';
import { waitUntil } from '../wait.ts';
import { run } from './run.ts';

it('an abort ends a tool with its children, deaf ones too, and rejects with the reason', async () => {
  const mark = { PARLEY_RUN_TEST: `${process.pid}` };
  const living = () => processesWith([`PARLEY_RUN_TEST=${process.pid}`]).length;
  const abort = new AbortController();
  const tool = run('sh', ['-c', 'trap "" TERM; sleep 60 & wait; wait'], {
    deadlineMs: 60_000,
    signal: abort.signal,
    marks: mark,
  });
  expect(await waitUntil(() => living() === 2, { deadlineMs: 5000 })).toBe(true);
  abort.abort(new Error('asked to'));
  await expect(tool).rejects.toThrow('asked to');
  expect(living()).toBe(0);
});
