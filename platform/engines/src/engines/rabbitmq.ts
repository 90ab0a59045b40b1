import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackage, ensure } from '../artifacts/debian.ts';
import { run } from '../artifacts/run.ts';
import { defineEngine, loopback, urlOf, type PortsNamed } from '../engine.ts';
import { answersOk } from '../probe.ts';
import { rabbitmqAuthorization } from '../rabbitmq-account.ts';

const epmdDeadlineMs = 5000;

/** The server script itself: Debian's wrapper in sbin changes to the system's own instance and user. */
const server = '/usr/lib/rabbitmq/bin/rabbitmq-server';
/** Brings Erlang. */
const serverPackage = debianPackage('rabbitmq', { package: 'rabbitmq-server', file: server });

const ports = {
  rabbitmqAmqp: 172,
  rabbitmqManagement: 173,
  rabbitmqPrometheus: 174,
  rabbitmqDist: 175,
  rabbitmqEpmd: 176,
} as const;
type Ports = PortsNamed<keyof typeof ports>;

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
  // With UTF-8, its management agent ends at a path that has a character above 255; without, names of files are bytes.
  LANG: 'C',
  LC_ALL: 'C',
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

const folderOf = ({ runDir }: { readonly runDir: string }): string => join(runDir, 'rabbitmq');

/** RabbitMQ from Debian's package as a private instance, user guest on the loopback address: development only. */
export const rabbitmq = defineEngine({
  name: 'rabbitmq',
  version: '3.10', // Debian 12 has 3.10.8; doctor says which is installed
  presence: 'always',
  ports,
  cacheEntry: undefined,
  obtainedWith: [],
  runsWith: [serverPackage],
  users: ['notification', 'shipping'],
  addresses: ({ rabbitmqAmqp, rabbitmqManagement, rabbitmqPrometheus }) => {
    const amqp = `amqp://${loopback}:${rabbitmqAmqp}`;
    const management = urlOf(rabbitmqManagement);
    return {
      endpoints: { rabbitmq: { amqp, management } },
      serviceEnv: { RABBITMQ_URL: amqp },
      rows: [{ label: 'rabbitmq', addresses: [amqp, management] }],
      metrics: { port: rabbitmqPrometheus, path: '/metrics' },
    };
  },
  obtain: (control) => ensure([serverPackage], control),
  prepare: async (context) => {
    await ensure([serverPackage]);
    const folder = folderOf(context);
    for (const name of ['home', 'mnesia', 'log']) mkdirSync(join(folder, name), { recursive: true });
    rmSync(join(folder, 'pid'), { force: true }); // of a killed node; the number may be a stranger's by now
    writeFileSync(join(folder, 'rabbitmq.conf'), rabbitmqConf(context.ports));
    writeFileSync(join(folder, 'enabled_plugins'), '[rabbitmq_management,rabbitmq_prometheus].\n');
    return { command: server, args: [], env: rabbitmqEnv(context.ports, folder), cwd: folder };
  },
  isReady: ({ ports: { rabbitmqManagement } }) =>
    answersOk(`${urlOf(rabbitmqManagement)}/api/overview`, { authorization: rabbitmqAuthorization }),
  readyDeadlineMs: 180_000,
  mainPid: (context) => {
    try {
      const pid = Number(readFileSync(join(folderOf(context), 'pid'), 'utf8'));
      return pid > 1 ? pid : undefined;
    } catch {
      return undefined; // not written yet: the start script is the main process
    }
  },
  afterStop: async ({ ports: { rabbitmqEpmd } }) => {
    // epmd is a daemon of its own that outlives the node; this is the one on our port.
    await run('epmd', ['-port', String(rabbitmqEpmd), '-kill'], { deadlineMs: epmdDeadlineMs }).catch(
      () => undefined,
    );
  },
});
