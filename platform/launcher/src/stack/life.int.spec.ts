import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceNames } from '@parley/contracts/endpoints';
import { defaultEngines, type PortClaim } from '@parley/engines';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { claimOwnBase } from '../suite/own-stack.ts';
import { endpointsOf } from './addresses.ts';
import { runFiles } from './context.ts';
import { readEndpoints } from './endpoints-file.ts';
import { instanceId } from './instances.ts';
import { endLeftovers } from './leftovers.ts';
import { holderOf } from './lock.ts';
import { startTicksOf } from '@parley/engines/procfs';
import { supervisedPids } from './supervised.ts';
import { portsOfStack } from './ports.ts';
import { takenPorts } from './taken-ports.ts';
import { waitUntil } from '@parley/engines/wait';

const startTimeoutMs = 1_200_000;
const stopTimeoutMs = 600_000;
const recoveryMs = 600_000;
const main = join(import.meta.dirname, '..', 'main.ts');

const Shipped = z.looseObject({ orderId: z.uuid() });

/** One stack of its own, started, killed, started again and stopped: only the whole life of it shows what it leaves behind. */
describe('the life of a stack', () => {
  let folder: string;
  let runDir: string;
  let claim: PortClaim;
  let portBase: number;
  let pidsSeen: number[] = [];
  const systemTmp = (): string => join(folder, 'tmp');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-life-'));
    runDir = join(folder, 'Übung 数据, a run folder'); // as somebody's home may be called
    await mkdir(systemTmp());
    claim = await claimOwnBase();
    portBase = claim.base;
  });
  afterAll(async () => {
    const launcher = await holderOf(runDir);
    if (launcher !== undefined) process.kill(launcher.pid, 'SIGKILL');
    await endLeftovers(runDir, 5000);
    await claim.release();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs one command of the launcher as npm does, and returns its exit code with what it printed. */
  const parley = async (...argv: string[]): Promise<{ code: number | null; printed: string }> => {
    const child = spawn(process.execPath, [main, ...argv], {
      env: {
        ...process.env,
        PARLEY_RUN_DIR: runDir,
        PARLEY_PORT_BASE: String(portBase),
        PARLEY_WATCH: '0',
        TMPDIR: systemTmp(),
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
  };

  const launcherPid = async (): Promise<number> => {
    const holder = await holderOf(runDir);
    if (holder === undefined) throw new Error('no launcher runs');
    return holder.pid;
  };

  const start = async (): Promise<void> => {
    const { code, printed } = await parley('up');
    expect(code, printed).toBe(0);
    expect(await readEndpoints(runDir)).toEqual(endpointsOf({ portBase }));
    pidsSeen = [await launcherPid(), ...supervisedPids(runDir)];
  };

  let heard = 0;
  const launcherLog = (): string => readFileSync(join(runFiles(runDir).logs, 'launcher.log'), 'utf8');
  /** What the launcher has said so far proves nothing of what comes. */
  const listenAnew = (): void => {
    heard = launcherLog().length;
  };
  const said = (words: string | RegExp): Promise<boolean> => {
    const isThere = (): boolean => {
      const text = launcherLog().slice(heard);
      return typeof words === 'string' ? text.includes(words) : words.test(text);
    };
    return waitUntil(isThere, { deadlineMs: recoveryMs });
  };

  const kill = (name: string): void => {
    const record: unknown = JSON.parse(readFileSync(join(runFiles(runDir).pids, `${name}.json`), 'utf8'));
    process.kill(z.looseObject({ pid: z.int() }).parse(record).pid, 'SIGKILL');
  };

  /** An order that reaches SHIPPED, as soon as the stack has recovered from what was done to it. */
  const shippedOrder = async (): Promise<string> => {
    let last = '';
    let orderId = '';
    const isShipped = async (): Promise<boolean> => {
      const { code, printed } = await parley('flow', '--json');
      last = printed;
      if (code === 0) ({ orderId } = Shipped.parse(JSON.parse(printed)));
      return code === 0;
    };
    expect(await waitUntil(isShipped, { deadlineMs: recoveryMs, intervalMs: 500 }), last).toBe(true);
    return orderId;
  };

  const expectNothingLeft = async (): Promise<void> => {
    expect(supervisedPids(runDir)).toEqual([]);
    expect(pidsSeen.filter((pid) => startTicksOf(pid) !== undefined)).toEqual([]);
    expect(await takenPorts({ portBase })).toEqual([]);
    const { lock, endpoints, pids, tmp } = runFiles(runDir);
    expect([lock, endpoints, pids, tmp].filter((path) => existsSync(path))).toEqual([]);
    expect(readdirSync(systemTmp())).toEqual([]);
    const ofOurJvms = readdirSync('/tmp')
      .filter((name) => name.startsWith('hsperfdata_'))
      .flatMap((name) => readdirSync(join('/tmp', name)))
      .filter((pid) => pidsSeen.includes(Number(pid)));
    expect(ofOurJvms).toEqual([]);
  };

  let orderId: string;

  it(
    'up returns when all of it is ready, and every port is its own',
    { timeout: startTimeoutMs },
    async () => {
      await start();
      expect(await takenPorts({ portBase })).toHaveLength(portsOfStack({ portBase }).size);
      orderId = await shippedOrder();
      const saysLauncher = async (): Promise<boolean> => {
        const { printed } = await parley('logs', '--service', 'launcher', '--json');
        return printed.split('\n').some((line) => line.includes('kafka is ready'));
      };
      expect(await waitUntil(saysLauncher, { deadlineMs: recoveryMs, intervalMs: 500 })).toBe(true);
      const again = await parley('up');
      expect(again).toMatchObject({ code: 0, printed: expect.stringContaining('already runs') as string });
    },
  );

  const saidDead = async (name: string, death: RegExp): Promise<void> => {
    expect(await said(new RegExp(`${name} ${death.source}; starting again in [\\d.]+ s\n`)), name).toBe(true);
    expect(await said(`last lines of ${join(runFiles(runDir).logs, `${name}.log`)}:\n`), name).toBe(true);
    expect(await said(`\n  ${name} | `), name).toBe(true);
  };

  it(
    'every engine and service that is killed, all at once, is said by name with the end of its log, and comes back',
    { timeout: 4 * recoveryMs },
    async () => {
      const names = [...defaultEngines, ...serviceNames.map((service) => instanceId(service, 1))];
      listenAnew();
      for (const name of names) kill(name);
      for (const name of names) await saidDead(name, /was ended by SIGKILL/);
      for (const name of names) expect(await said(`✓ ${name} runs again`), name).toBe(true);
      await shippedOrder();
      pidsSeen.push(...supervisedPids(runDir));
    },
  );

  it(
    'RabbitMQ comes back when its node dies below the start script',
    { timeout: 2 * recoveryMs },
    async () => {
      listenAnew();
      // The node writes it itself; another beam.smp may be a helper that it starts for a moment.
      process.kill(Number(readFileSync(join(runDir, 'rabbitmq', 'pid'), 'utf8')), 'SIGKILL');
      await saidDead('rabbitmq', /ended with code \d+/);
      expect(await said(/rabbitmq ended with [^]*rabbitmq runs again/)).toBe(true);
      await shippedOrder();
      pidsSeen.push(...supervisedPids(runDir));
    },
  );

  it('after SIGKILL of the launcher, down leaves nothing', { timeout: stopTimeoutMs }, async () => {
    process.kill(await launcherPid(), 'SIGKILL');
    const isGone = async (): Promise<boolean> => (await holderOf(runDir)) === undefined;
    expect(await waitUntil(isGone, { deadlineMs: stopTimeoutMs })).toBe(true);
    expect(supervisedPids(runDir).length).toBeGreaterThan(10);
    const { code, printed } = await parley('down');
    expect(code, printed).toBe(0);
    await expectNothingLeft();
  });

  it('what was recorded survives, and SIGTERM leaves nothing', { timeout: startTimeoutMs }, async () => {
    await start();
    const { printed: token } = await parley('token', '--sub', 'alice');
    const { gateway } = await readEndpoints(runDir);
    const order = await fetch(`${gateway.url}/api/v1/orders/${orderId}`, {
      headers: { authorization: `Bearer ${token.trim()}` },
    });
    expect(await order.json()).toMatchObject({ orderId, status: 'SHIPPED' });
    const pid = await launcherPid();
    process.kill(pid, 'SIGTERM');
    expect(await waitUntil(() => startTicksOf(pid) === undefined, { deadlineMs: stopTimeoutMs })).toBe(true);
    await expectNothingLeft();
  });

  it('a start that is stopped half-way leaves nothing', { timeout: startTimeoutMs }, async () => {
    const up = parley('up');
    const hasEngines = (): boolean => supervisedPids(runDir).length > 2;
    expect(await waitUntil(hasEngines, { deadlineMs: recoveryMs, intervalMs: 50 })).toBe(true);
    process.kill(await launcherPid(), 'SIGTERM');
    expect((await up).code).toBe(3);
    await expectNothingLeft();
  });

  it('clean forgets all of it', async () => {
    expect(await parley('clean')).toMatchObject({ code: 0 });
    expect(existsSync(runDir)).toBe(false);
  });
});
