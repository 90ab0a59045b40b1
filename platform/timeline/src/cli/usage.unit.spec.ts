import { describe, expect, it } from 'vitest';
import { logCommand } from '../log/command.ts';
import { replayCommand } from '../replay/command.ts';
import { exitCodes } from './exit.ts';

const nowhere = { write: () => true };
const context = {
  env: { PARLEY_ENDPOINTS: '/nonexistent' },
  signal: new AbortController().signal,
  stdout: nowhere,
  stderr: nowhere,
};
const uuid = 'c5461a08-b50f-5908-b15a-a71515952af3';

describe('a wrong command line', () => {
  it.each([
    [[]],
    [['sing']],
    [['list']],
    [['list', 'order', 'payment']],
    [['list', 'nothing']],
    [['list', 'order', '--limit', '0']],
    [['list', 'order', '--limit', '1e3']],
    [['list', 'order', '--since', 'yesterday']],
    [['list', 'order', '--follow', '--from-file', 'x']],
    [['list', 'order', '--at', '1']],
    [['show', 'x']],
    [['order', 'order-1']],
    [['state', 'nothing-1']],
    [['state', 'order-']],
    [['export']],
    [['import']],
    [['import', 'a', 'b']],
  ])('log %j is 2 before anything is connected', async (argv) => {
    // Through a promise, since a check may throw before there is one.
    await expect(Promise.resolve().then(() => logCommand(argv, context))).rejects.toMatchObject({
      exitCode: exitCodes.usage,
    });
  });

  it.each([
    [['--projection', 'nothing']],
    [['--until', '7']],
    [['--verify', '--until', '2026-01-01T00:00:00Z']],
  ])('replay %j is 2 before anything is connected', async (argv) => {
    await expect(replayCommand(argv, context)).rejects.toMatchObject({ exitCode: exitCodes.usage });
  });
});

describe('without a stack', () => {
  it.each([[['show', uuid]], [['list', 'order']], [['export', '--out', 'x']]])(
    'log %j is 3',
    async (argv) => {
      await expect(logCommand(argv, context)).rejects.toMatchObject({ exitCode: exitCodes.environment });
    },
  );

  it('replay is 3, also with --verify', async () => {
    for (const argv of [[], ['--verify']])
      await expect(replayCommand(argv, context)).rejects.toMatchObject({ exitCode: exitCodes.environment });
  });
});
