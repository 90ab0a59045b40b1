import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freeze } from './freeze.ts';

/** What the kernel says of a process: `T` while it is stopped. */
const stateOf = (pid: number): string =>
  /^State:\s*(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';

describe('a frozen process', () => {
  let victim: ChildProcess;
  let pid: number;
  let gone: Promise<unknown>;
  const state = () => expect.poll(() => stateOf(pid), { timeout: 20_000 });
  beforeEach(async () => {
    victim = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    await once(victim, 'spawn');
    pid = victim.pid ?? 0;
    gone = once(victim, 'exit');
  });
  afterEach(async () => {
    victim.kill('SIGKILL');
    await gone;
  });

  it('stands still until it is let go', async () => {
    const restore = await freeze(-pid);
    await state().toBe('T');
    await restore();
    await state().toBe('S');
  });

  it.each([
    ['it', 1],
    ['its group', -1],
  ])('goes on by itself when whoever froze %s is killed', async (_what, sign) => {
    const module = JSON.stringify(join(import.meta.dirname, 'freeze.ts'));
    const script = `const { freeze } = await import(${module}); await freeze(${sign * pid}); setInterval(() => {}, 1000);`;
    const drill = spawn(process.execPath, ['--input-type=module', '-e', script], {
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await once(drill, 'spawn');
    try {
      await state().toBe('T');
    } finally {
      process.kill(-(drill.pid ?? 0), 'SIGKILL'); // its whole group, as a test runner ends it
      await once(drill, 'exit');
    }
    await state().toBe('S');
  });

  it('that ended meanwhile is let go without an error', async () => {
    const restore = await freeze(pid);
    victim.kill('SIGKILL');
    await gone;
    await restore();
  });
});
