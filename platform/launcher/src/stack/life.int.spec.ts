import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceNames } from '@parley/contracts/endpoints';
import { defaultEngines } from '@parley/engines';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LaunchedStack } from '../../testing/launched-stack.ts';
import { endpointsOf } from './addresses.ts';
import { runFiles } from './context.ts';
import { readEndpoints } from './endpoints-file.ts';
import { gatewayKnows } from './gateway-upstreams.ts';
import { instanceId } from './instances.ts';
import { holderOf } from './lock.ts';
import { startTicksOf } from '@parley/engines/procfs';
import { supervisedPids } from './supervised.ts';
import { portsOfStack } from './ports.ts';
import { takenPorts } from './taken-ports.ts';
import { waitUntil } from '@parley/engines/wait';

const startTimeoutMs = 1_200_000;
const stopTimeoutMs = 600_000;
const recoveryMs = 600_000;

/** One stack of its own, started, killed, started again and stopped: only the whole life of it shows what it leaves behind. */
describe('the life of a stack', () => {
  let stack: LaunchedStack;
  let pidsSeen: number[] = [];

  beforeAll(async () => {
    stack = await LaunchedStack.claim();
  });
  afterAll(() => stack.end());

  const launcherPid = async (): Promise<number> => {
    const holder = await holderOf(stack.runDir);
    if (holder === undefined) throw new Error('no launcher runs');
    return holder.pid;
  };

  const start = async (): Promise<void> => {
    const { code, printed } = await stack.parley('up');
    expect(code, printed).toBe(0);
    const endpoints = endpointsOf({ portBase: stack.portBase });
    expect(await readEndpoints(stack.runDir)).toEqual(endpoints);
    expect(await gatewayKnows(endpoints.gateway, endpoints.instances)).toBe(true);
    pidsSeen = [await launcherPid(), ...supervisedPids(stack.runDir)];
  };

  let heard = 0;
  const launcherLog = (): string => readFileSync(join(runFiles(stack.runDir).logs, 'launcher.log'), 'utf8');
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

  const expectNothingLeft = async (): Promise<void> => {
    expect(supervisedPids(stack.runDir)).toEqual([]);
    expect(pidsSeen.filter((pid) => startTicksOf(pid) !== undefined)).toEqual([]);
    expect(await takenPorts({ portBase: stack.portBase })).toEqual([]);
    const { lock, endpoints, pids, tmp } = runFiles(stack.runDir);
    expect([lock, endpoints, pids, tmp].filter((path) => existsSync(path))).toEqual([]);
    expect(readdirSync(stack.systemTmp)).toEqual([]);
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
      expect(await takenPorts({ portBase: stack.portBase })).toHaveLength(
        portsOfStack({ portBase: stack.portBase }).size,
      );
      orderId = await stack.shippedOrder(recoveryMs);
      const saysLauncher = async (): Promise<boolean> => {
        const { printed } = await stack.parley('logs', '--service', 'launcher', '--json');
        return printed.split('\n').some((line) => line.includes('kafka is ready'));
      };
      expect(await waitUntil(saysLauncher, { deadlineMs: recoveryMs, intervalMs: 500 })).toBe(true);
      const again = await stack.parley('up');
      expect(again).toMatchObject({ code: 0, printed: expect.stringContaining('already runs') as string });
    },
  );

  const saidDead = async (name: string, death: RegExp): Promise<void> => {
    expect(await said(new RegExp(`${name} ${death.source}; starting again in [\\d.]+ s\n`)), name).toBe(true);
    expect(await said(`last lines of ${join(runFiles(stack.runDir).logs, `${name}.log`)}:\n`), name).toBe(
      true,
    );
    expect(await said(`\n  ${name} | `), name).toBe(true);
  };

  it(
    'every engine and service that is killed, all at once, is said by name with the end of its log, and comes back',
    { timeout: 4 * recoveryMs },
    async () => {
      const names = [...defaultEngines, ...serviceNames.map((service) => instanceId(service, 1))];
      listenAnew();
      for (const name of names) stack.kill(name);
      for (const name of names) await saidDead(name, /was ended by SIGKILL/);
      for (const name of names) expect(await said(`✓ ${name} runs again`), name).toBe(true);
      await stack.shippedOrder(recoveryMs);
      pidsSeen.push(...supervisedPids(stack.runDir));
    },
  );

  it(
    'RabbitMQ comes back when its node dies below the start script',
    { timeout: 2 * recoveryMs },
    async () => {
      listenAnew();
      // The node writes it itself; another beam.smp may be a helper that it starts for a moment.
      process.kill(Number(readFileSync(join(stack.runDir, 'rabbitmq', 'pid'), 'utf8')), 'SIGKILL');
      await saidDead('rabbitmq', /ended with code \d+/);
      expect(await said(/rabbitmq ended with [^]*rabbitmq runs again/)).toBe(true);
      await stack.shippedOrder(recoveryMs);
      pidsSeen.push(...supervisedPids(stack.runDir));
    },
  );

  it('after SIGKILL of the launcher, down leaves nothing', { timeout: stopTimeoutMs }, async () => {
    process.kill(await launcherPid(), 'SIGKILL');
    const isGone = async (): Promise<boolean> => (await holderOf(stack.runDir)) === undefined;
    expect(await waitUntil(isGone, { deadlineMs: stopTimeoutMs })).toBe(true);
    expect(supervisedPids(stack.runDir).length).toBeGreaterThan(10);
    const { code, printed } = await stack.parley('down');
    expect(code, printed).toBe(0);
    await expectNothingLeft();
  });

  it('what was recorded survives, and SIGTERM leaves nothing', { timeout: startTimeoutMs }, async () => {
    await start();
    const { printed: token } = await stack.parley('token', '--sub', 'alice');
    const { gateway } = await readEndpoints(stack.runDir);
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
    const up = stack.parley('up');
    const hasEngines = (): boolean => supervisedPids(stack.runDir).length > 2;
    expect(await waitUntil(hasEngines, { deadlineMs: recoveryMs, intervalMs: 50 })).toBe(true);
    process.kill(await launcherPid(), 'SIGTERM');
    expect((await up).code).toBe(3);
    await expectNothingLeft();
  });

  it('clean forgets all of it', async () => {
    expect(await stack.parley('clean')).toMatchObject({ code: 0 });
    expect(existsSync(stack.runDir)).toBe(false);
  });
});
