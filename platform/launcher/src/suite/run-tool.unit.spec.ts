import { processesWith } from '@parley/engines/procfs';
import { waitUntil } from '@parley/engines/wait';
import { expect, it } from 'vitest';
import { runTool } from './run-tool.ts';

const mark = { PARLEY_RUN_TOOL_TEST: String(process.pid) };
const living = (): number => processesWith([`PARLEY_RUN_TOOL_TEST=${process.pid}`]).length;

it('the exit code of a tool is what it returns', async () => {
  const { signal } = new AbortController();
  expect(await runTool('sh', ['-c', 'exit 3'], { signal })).toBe(3);
});

it.each([
  ['a tool that is deaf to SIGTERM', 'trap "" TERM; sleep 60 & wait; wait'],
  ['a tool that leaves a deaf child behind', '(trap "" TERM; sleep 60) & trap "exit 0" TERM; wait'],
])('an abort ends %s, with all of its group, before it resolves', async (_what, script) => {
  const abort = new AbortController();
  const tool = runTool('sh', ['-c', script], { env: mark, signal: abort.signal, graceMs: 200 });
  expect(await waitUntil(() => living() >= 2, { deadlineMs: 5000 })).toBe(true);
  abort.abort();
  await tool;
  expect(living()).toBe(0);
});
