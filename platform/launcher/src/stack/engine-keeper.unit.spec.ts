import { expect, it } from 'vitest';
import type { EngineHost } from './engine-host.ts';
import { keepEngine } from './engine-keeper.ts';
import { waitUntil } from '@parley/engines/wait';

it('an engine that dies is named and started again, one that is stopped stays down', async () => {
  const ends: ((how: string) => void)[] = [];
  const said: string[] = [];
  const host: EngineHost = {
    obtain: () => Promise.resolve(),
    mend: () => Promise.resolve(),
    doctor: () => Promise.resolve([]),
    start: (name) => {
      const { promise, resolve } = Promise.withResolvers<string>();
      ends.push(resolve);
      const stop = () => {
        resolve('was stopped');
        return Promise.resolve();
      };
      return Promise.resolve({ name, logPath: '/nowhere', exited: promise, stop });
    },
  };
  const say = (line: string): void => void said.push(line);
  const output = { line: say, good: say, bad: say, dim: say };
  const { signal } = new AbortController();
  const context = { root: '/', runDir: '/', portBase: 4000 };
  const kept = await keepEngine(host, 'kafka', { context, output, signal });
  ends[0]?.('ended with code 1');
  expect(await waitUntil(() => ends.length === 2, { deadlineMs: 3000, intervalMs: 10 })).toBe(true);
  await kept.stop();
  expect(said[0]).toContain('kafka ended with code 1; starting again in 0.25 s');
  expect(said).toContain('kafka runs again');
  expect(ends).toHaveLength(2);
});
