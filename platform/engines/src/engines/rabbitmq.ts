import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensure, rabbitmqServer } from '../artifacts/debian.ts';
import { run } from '../artifacts/run.ts';
import type { Engine, EngineContext } from '../engine.ts';
import type { Ports } from '../ports.ts';
import { answersOk } from '../probe.ts';

const epmdDeadlineMs = 5000;

/** The broker's configuration: every listener on the loopback address. */
export const rabbitmqConf = (ports: Ports): string =>
  [
    `listeners.tcp.1 = 127.0.0.1:${ports.rabbitmqAmqp}`,
    'management.tcp.ip = 127.0.0.1',
    `management.tcp.port = ${ports.rabbitmqManagement}`,
    'prometheus.tcp.ip = 127.0.0.1',
    `prometheus.tcp.port = ${ports.rabbitmqPrometheus}`,
    'disk_free_limit.absolute = 200MB',
    'vm_memory_high_watermark.absolute = 512MB',
    '',
  ].join('\n');

/** Environment that keeps a private instance away from the system's own: files under `folder`, own ports, own epmd. */
export const rabbitmqEnv = (ports: Ports, folder: string): Record<string, string> => ({
  HOME: join(folder, 'home'),
  RABBITMQ_NODENAME: 'parley@localhost',
  RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
  RABBITMQ_NODE_PORT: String(ports.rabbitmqAmqp),
  RABBITMQ_DIST_PORT: String(ports.rabbitmqDist),
  RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
  RABBITMQ_LOG_BASE: join(folder, 'log'),
  RABBITMQ_LOGS: '-', // to the log of the stack, like every engine; a file of its own would hide why it ended
  RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
  RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
  RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'none'),
  RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'generated'),
  RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
  RABBITMQ_PID_FILE: join(folder, 'pid'),
  ERL_EPMD_PORT: String(ports.rabbitmqEpmd),
  ERL_EPMD_ADDRESS: '127.0.0.1',
  // Idle schedulers sleep instead of spinning.
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
    '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none',
});

const folderOf = (context: EngineContext): string => join(context.runDir, 'rabbitmq');

/** RabbitMQ from Debian's package as a private instance, user guest on the loopback address: development only. */
export const rabbitmq: Engine = {
  name: 'rabbitmq',
  version: '3.10', // Debian 12 has 3.10.8; doctor says which is installed
  cacheEntry: undefined,
  obtain: (control) => ensure(['rabbitmq'], control),
  prepare: async (context) => {
    await ensure(['rabbitmq']);
    const folder = folderOf(context);
    for (const name of ['home', 'mnesia', 'log']) mkdirSync(join(folder, name), { recursive: true });
    rmSync(join(folder, 'pid'), { force: true }); // of a killed node; the number may be a stranger's by now
    writeFileSync(join(folder, 'rabbitmq.conf'), rabbitmqConf(context.ports));
    writeFileSync(join(folder, 'enabled_plugins'), '[rabbitmq_management,rabbitmq_prometheus].\n');
    return { command: rabbitmqServer, args: [], env: rabbitmqEnv(context.ports, folder), cwd: folder };
  },
  isReady: ({ ports }) =>
    answersOk(`http://127.0.0.1:${ports.rabbitmqManagement}/api/overview`, {
      authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}`,
    }),
  readyDeadlineMs: 180_000,
  mainPid: (context) => {
    try {
      const pid = Number(readFileSync(join(folderOf(context), 'pid'), 'utf8'));
      return pid > 1 ? pid : undefined;
    } catch {
      return undefined; // not written yet: the start script is the main process
    }
  },
  afterStop: async ({ ports }) => {
    // epmd is a daemon of its own that outlives the node; this is the one on our port.
    await run('epmd', ['-port', String(ports.rabbitmqEpmd), '-kill'], { deadlineMs: epmdDeadlineMs }).catch(
      () => undefined,
    );
  },
};
