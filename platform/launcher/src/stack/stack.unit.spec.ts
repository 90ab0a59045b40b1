import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PortClaim } from '@parley/engines';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimOwnBase } from '../suite/own-stack.ts';
import type { EngineHost } from './engine-host.ts';
import { holderOf } from './lock.ts';
import { roomMessage } from './room.ts';
import { startStack } from './stack.ts';

describe('a start that cannot succeed', () => {
  let runDir: string;
  let claim: PortClaim;
  beforeEach(async () => {
    runDir = await mkdtemp(join(tmpdir(), 'parley-stack-'));
    claim = await claimOwnBase();
  });
  afterEach(async () => {
    await claim.release();
    await rm(runDir, { recursive: true, force: true });
  });

  it('ends at the first engine that fails, with its reason, and does not wait for the others', async () => {
    const ended: string[] = [];
    const host: EngineHost = {
      obtain: () => Promise.resolve(),
      mend: () => Promise.resolve(),
      doctor: () => Promise.resolve([]),
      start: (name, _context, signal) =>
        name === 'rabbitmq'
          ? Promise.reject(new Error('rabbitmq ended before it was ready'))
          : new Promise((_, reject) => {
              signal.addEventListener('abort', () => {
                ended.push(name);
                reject(new Error(`${name} was told to stop`));
              });
            }),
    };
    const say = (): void => undefined;
    const output = { line: say, good: say, bad: say, dim: say };
    const context = { root: runDir, runDir, portBase: claim.base };
    const { signal } = new AbortController();
    const start = startStack(context, { host, output, watch: false, signal });
    await expect(start).rejects.toThrow('rabbitmq ended before it was ready');
    expect(ended.toSorted()).toEqual(['envoy', 'kafka', 'zipkin']);
    expect(await holderOf(runDir)).toBeUndefined();
  });
});

it('a disk that is nearly full is refused with the room that a stack needs', () => {
  expect(roomMessage('/run-folder', 500_000_000)).toBeUndefined();
  expect(roomMessage('/run-folder', 1_000_000)).toMatch(/free where \/run-folder lies.*PARLEY_RUN_DIR=/);
});
