import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PortClaim } from '@parley/engines';
import { waitUntil } from '@parley/engines/wait';
import { expect } from 'vitest';
import { z } from 'zod';
import { runFiles } from '../src/stack/context.ts';
import { endLeftovers } from '../src/stack/leftovers.ts';
import { holderOf } from '../src/stack/lock.ts';
import { claimOwnBase } from '../src/suite/own-stack.ts';

const main = join(import.meta.dirname, '../src/main.ts');
const Shipped = z.looseObject({ orderId: z.uuid() });
const PidFile = z.looseObject({ pid: z.int() });

/** A place for a stack of its own, whose commands are run as npm runs them. */
export class LaunchedStack {
  readonly runDir: string;
  /** What is temporary to the system, for this stack alone. */
  readonly systemTmp: string;
  readonly #folder: string;
  readonly #claim: PortClaim;

  private constructor(folder: string, claim: PortClaim) {
    this.#folder = folder;
    this.#claim = claim;
    this.runDir = join(folder, 'Übung 数据, a run folder'); // as somebody's home may be called
    this.systemTmp = join(folder, 'tmp');
  }

  static async claim(): Promise<LaunchedStack> {
    const stack = new LaunchedStack(await mkdtemp(join(tmpdir(), 'parley-life-')), await claimOwnBase());
    await mkdir(stack.systemTmp);
    return stack;
  }

  get portBase(): number {
    return this.#claim.base;
  }

  /** Ends what runs and removes all of it. */
  async end(): Promise<void> {
    const launcher = await holderOf(this.runDir);
    if (launcher !== undefined) process.kill(launcher.pid, 'SIGKILL');
    await endLeftovers(this.runDir, 5000);
    await this.#claim.release();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Runs one command of the launcher, and returns its exit code with what it printed. */
  async parley(...argv: string[]): Promise<{ code: number | null; printed: string }> {
    const child = spawn(process.execPath, [main, ...argv], {
      env: {
        ...process.env,
        PARLEY_RUN_DIR: this.runDir,
        PARLEY_ENDPOINTS: runFiles(this.runDir).endpoints,
        PARLEY_PORT_BASE: String(this.portBase),
        PARLEY_WATCH: '0',
        TMPDIR: this.systemTmp,
        NODE_USE_ENV_PROXY: '1', // somebody's shell has them: there is nothing at that address
        HTTP_PROXY: 'http://127.0.0.1:9',
        http_proxy: 'http://127.0.0.1:9',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
    await once(child, 'close');
    return { code: child.exitCode, printed };
  }

  kill(name: string): void {
    const record: unknown = JSON.parse(
      readFileSync(join(runFiles(this.runDir).pids, `${name}.json`), 'utf8'),
    );
    process.kill(PidFile.parse(record).pid, 'SIGKILL');
  }

  /** An order that reaches SHIPPED, as soon as the stack has recovered from what was done to it. */
  async shippedOrder(deadlineMs: number): Promise<string> {
    let last = '';
    let orderId = '';
    const isShipped = async (): Promise<boolean> => {
      const { code, printed } = await this.parley('flow', '--json');
      last = printed;
      if (code === 0) ({ orderId } = Shipped.parse(JSON.parse(printed)));
      return code === 0;
    };
    expect(await waitUntil(isShipped, { deadlineMs, intervalMs: 500 }), last).toBe(true);
    return orderId;
  }
}
