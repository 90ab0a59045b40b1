import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { defaultEngines, needsOf } from '@parley/engines';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { messageOf } from '../cli/exit.ts';
import { endpointsOf } from './addresses.ts';
import { runFiles } from './context.ts';
import { readEndpoints, writeEndpoints } from './endpoints-file.ts';
import type { EngineHost } from './engine-host.ts';
import { holderOf } from './lock.ts';
import { roomMessage } from './room.ts';
import { startStack } from './stack.ts';

describe('a start that cannot succeed', () => {
  let runDir: string;
  beforeEach(async () => {
    runDir = await mkdtemp(join(tmpdir(), 'parley-stack-'));
  });
  afterEach(() => rm(runDir, { recursive: true, force: true }));

  const say = (): void => undefined;
  const output = { line: say, good: say, bad: say, dim: say };
  const startOn = (host: EngineHost, refuseMachine: () => Promise<void>) => {
    const context = { root: runDir, runDir, portBase: 4000 };
    const { signal } = new AbortController();
    return startStack(context, { host, output, watch: false, signal, refuseMachine });
  };

  it('ends at the first engine that fails, with its reason, and does not wait for the others', async () => {
    const ended: string[] = [];
    const host: EngineHost = {
      obtain: () => Promise.resolve(),
      mend: () => Promise.resolve(),
      doctor: () => Promise.resolve([]),
      start: (name, _context, { signal }) =>
        name === 'rabbitmq'
          ? Promise.reject(new Error('rabbitmq ended before it was ready'))
          : new Promise((_, reject) => {
              signal.addEventListener('abort', () => {
                ended.push(name);
                reject(new Error(`${name} was told to stop`));
              });
            }),
    };
    await expect(startOn(host, () => Promise.resolve())).rejects.toThrow(
      'rabbitmq ended before it was ready',
    );
    const others = defaultEngines.filter((name) => name !== 'rabbitmq' && needsOf(name).length === 0);
    expect(ended.toSorted()).toEqual(others.toSorted());
    expect(await holderOf(runDir)).toBeUndefined();
  });

  const obtaining = (obtain: EngineHost['obtain']): EngineHost => ({
    obtain,
    mend: () => Promise.resolve(),
    doctor: () => Promise.resolve([]),
    start: () => Promise.reject(new Error('no engine here')),
  });

  it('does not look ready by the endpoints.json of a launcher that was killed', async () => {
    await writeEndpoints(runDir, endpointsOf({ portBase: 4000 }));
    const read: unknown[] = [];
    const host = obtaining(async () => {
      read.push(await readEndpoints(runDir).catch(messageOf));
    });
    await expect(startOn(host, () => Promise.resolve())).rejects.toThrow('no engine here');
    expect(read).toEqual([expect.stringContaining('is not ready yet')]);
  });

  it('leaves no endpoints.json behind, also when its lock was removed', async () => {
    const { lock, endpoints } = runFiles(runDir);
    const host = obtaining(async () => {
      await writeEndpoints(runDir, endpointsOf({ portBase: 4000 }));
      await rm(lock);
    });
    await expect(startOn(host, () => Promise.resolve())).rejects.toThrow('no engine here');
    expect(existsSync(endpoints)).toBe(false);
  });

  it('ends before anything is obtained on a machine that is refused, and holds the run folder no longer', async () => {
    const asked: string[] = [];
    const never = (what: string) => () => {
      asked.push(what);
      return Promise.reject(new Error(`${what} was not to be called`));
    };
    const host: EngineHost = {
      obtain: never('obtain'),
      mend: never('mend'),
      doctor: never('doctor'),
      start: never('start'),
    };
    const refuse = () => Promise.reject(new Error('ports are taken'));
    await expect(startOn(host, refuse)).rejects.toThrow('ports are taken');
    expect(asked).toEqual([]);
    expect(await holderOf(runDir)).toBeUndefined();
  });
});

it('a disk that is nearly full is refused with the room that a stack needs', () => {
  expect(roomMessage('/run-folder', 500_000_000)).toBeUndefined();
  expect(roomMessage('/run-folder', 1_000_000)).toMatch(/free where \/run-folder lies.*PARLEY_RUN_DIR=/);
});
