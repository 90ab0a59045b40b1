import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@parley/engines';
import { isRunning } from '@parley/engines/procfs';
import { waitUntil } from '@parley/engines/wait';
import { hostOf, meshNames, type CapturedMesh } from '@parley/mesh';
import { enginePorts } from './ports.ts';
import { ownerOf, type Owner } from './plan.ts';

const toolDeadlineMs = 10_000;
/** `ip netns exec` puts the files of this folder over those of /etc for the process that it starts. */
const etcRoot = '/etc/netns';
const etcOf = (namespace: string): string => join(etcRoot, namespace);

/** The words that run a command in a namespace; without one, in the network of the machine. */
export const inNamespace = (namespace: string | undefined, command: readonly string[]): readonly string[] =>
  namespace === undefined ? command : ['ip', 'netns', 'exec', namespace, ...command];

const tool = async (command: string, ...args: string[]): Promise<string> =>
  run(command, args, { deadlineMs: toolDeadlineMs });
const inside = (namespace: string, command: string, ...args: string[]): Promise<string> =>
  tool('ip', 'netns', 'exec', namespace, command, ...args);

/** Makes a namespace whose names resolve as in the mesh: services by their virtual addresses. */
const makeNamespace = async (namespace: string, hosts: string): Promise<void> => {
  mkdirSync(etcOf(namespace), { recursive: true });
  writeFileSync(join(etcOf(namespace), 'hosts'), hosts);
  await tool('ip', 'netns', 'add', namespace);
  await tool('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
};

const hostsOf = ({ hub, services }: CapturedMesh): string =>
  [
    '127.0.0.1 localhost',
    `${hub.address} istiod.${meshNames.rootNamespace}.svc`,
    ...services.map(({ name, virtualIp }) => `${virtualIp} ${name} ${hostOf(name)}`),
    '',
  ].join('\n');

const nat = (namespace: string, ...rule: string[]): Promise<string> =>
  inside(namespace, 'iptables-nft', '-w', '-t', 'nat', ...rule);

/** Engines listen on the loopback address of the hub, and everybody finds them on their own: the same configuration everywhere. */
const forwardEngines = async (namespace: string, { hub, portBase }: CapturedMesh): Promise<void> => {
  const ports = ['-p', 'tcp', '-m', 'multiport', '--dports', enginePorts(portBase).join(',')];
  await inside(namespace, 'sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1');
  if (namespace === hub.namespace) {
    await nat(
      namespace,
      '-A',
      'PREROUTING',
      '-d',
      hub.address,
      ...ports,
      '-j',
      'DNAT',
      '--to-destination',
      '127.0.0.1',
    );
    return;
  }
  await nat(
    namespace,
    '-A',
    'OUTPUT',
    '-d',
    '127.0.0.1',
    ...ports,
    '-j',
    'DNAT',
    '--to-destination',
    hub.address,
  );
  await nat(namespace, '-A', 'POSTROUTING', '-s', '127.0.0.0/8', '-o', 'eth0', '-j', 'MASQUERADE');
};

/** What kube-proxy does on a node: a service's virtual address leads to its first instance, also where no sidecar chooses one. */
const forwardServices = async ({ hub, services, nodes }: CapturedMesh): Promise<void> => {
  await inside(hub.namespace, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  for (const { name, virtualIp } of services) {
    const first = nodes.find(({ service }) => service === name);
    if (first === undefined) continue;
    await nat(
      hub.namespace,
      '-A',
      'PREROUTING',
      '-d',
      virtualIp,
      '-j',
      'DNAT',
      '--to-destination',
      first.address,
    );
  }
  await nat(
    hub.namespace,
    '-A',
    'POSTROUTING',
    '-s',
    '10.77.0.0/24',
    '-d',
    '10.77.0.0/24',
    '-m',
    'conntrack',
    '--ctstate',
    'DNAT',
    '-j',
    'MASQUERADE',
  );
};

/**
 * Makes all namespaces of a mesh: a hub with a bridge, and each node with an address on it. Nothing is added to the
 * network of the machine itself. Rejects when the kernel does not allow it; what was made until then is to be removed.
 */
export const makeNamespaces = async (mesh: CapturedMesh): Promise<void> => {
  const { hub, nodes } = mesh;
  const hosts = hostsOf(mesh);
  const inHub = ['-n', hub.namespace];
  await makeNamespace(hub.namespace, hosts);
  await tool('ip', ...inHub, 'link', 'add', 'br0', 'type', 'bridge');
  await tool('ip', ...inHub, 'addr', 'add', `${hub.address}/24`, 'dev', 'br0');
  await tool('ip', ...inHub, 'link', 'set', 'br0', 'up');
  await Promise.all(
    nodes.map(async ({ namespace, address }) => {
      const veth = `v${address.split('.')[3] ?? ''}`;
      await makeNamespace(namespace, hosts);
      await tool(
        'ip',
        ...inHub,
        'link',
        'add',
        veth,
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        namespace,
      );
      await tool('ip', ...inHub, 'link', 'set', veth, 'master', 'br0', 'up');
      await tool('ip', '-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
      await tool('ip', '-n', namespace, 'link', 'set', 'eth0', 'up');
      await tool('ip', '-n', namespace, 'route', 'add', 'default', 'via', hub.address); // to the virtual addresses
      await forwardEngines(namespace, mesh);
    }),
  );
  await forwardEngines(hub.namespace, mesh);
  await forwardServices(mesh);
};

const namesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return []; // there was never one
  }
};

/** Namespaces that are there, and those of which only their files are left: after the machine was started again. */
const namespacesHere = (): readonly string[] => [...new Set([...namesIn('/run/netns'), ...namesIn(etcRoot)])];

const pidsIn = async (namespace: string): Promise<number[]> =>
  (await tool('ip', 'netns', 'pids', namespace).catch(() => ''))
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 1);

const killWaitMs = 5000;
const emptyPollMs = 500;

/** Ends what still runs in a namespace and removes it with its rules, its interfaces and its files. */
const removeNamespace = async (namespace: string): Promise<void> => {
  const gone = async (): Promise<boolean> => {
    const pids = await pidsIn(namespace);
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it ended meanwhile
      }
    }
    return pids.length === 0;
  };
  await waitUntil(gone, { deadlineMs: killWaitMs });
  await tool('ip', 'netns', 'del', namespace).catch(() => undefined); // another one was faster
  rmSync(etcOf(namespace), { recursive: true, force: true });
};

/**
 * Rejects when this machine does not let a mesh be made: does once, in a namespace of its own that is removed again,
 * everything that `makeNamespaces` and Istio's rules need of the kernel and of the tools.
 */
export const probeNamespaces = async (namespace: string): Promise<void> => {
  const link = (...words: string[]): Promise<string> => tool('ip', '-n', namespace, 'link', ...words);
  try {
    await makeNamespace(namespace, '127.0.0.1 localhost\n');
    await link('add', 'br0', 'type', 'bridge');
    await link('add', 'v1', 'type', 'veth', 'peer', 'name', 'eth0');
    await link('set', 'v1', 'master', 'br0', 'up');
    await inside(namespace, 'sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1', 'net.ipv4.ip_forward=1');
    const tcp = ['-p', 'tcp', '-m', 'multiport', '--dports', '1,2'];
    await nat(namespace, '-A', 'OUTPUT', ...tcp, '-j', 'DNAT', '--to-destination', '127.0.0.1');
    await nat(
      namespace,
      '-A',
      'OUTPUT',
      '-p',
      'tcp',
      '-m',
      'owner',
      '!',
      '--gid-owner',
      '1337',
      '-j',
      'REDIRECT',
    );
    await nat(namespace, '-A', 'POSTROUTING', '-m', 'conntrack', '--ctstate', 'DNAT', '-j', 'MASQUERADE');
  } finally {
    await removeNamespace(namespace);
  }
};

const removeWhere = async (isMeant: (namespace: string) => boolean): Promise<number> => {
  const meant = namespacesHere().filter(isMeant);
  await Promise.all(meant.map(removeNamespace));
  return meant.length;
};

const isOf =
  ({ pid, startTicks }: Owner) =>
  (namespace: string): boolean => {
    const owner = ownerOf(namespace);
    return owner?.pid === pid && owner.startTicks === startTicks;
  };

/** Removes the namespaces of one owner, with all that runs in them. */
export const removeNamespacesOf = (owner: Owner): Promise<number> => removeWhere(isOf(owner));

/** Waits until nothing runs in the namespaces of an owner; false when something still does at the deadline. */
export const untilNamespacesAreEmpty = (owner: Owner, deadlineMs: number): Promise<boolean> =>
  waitUntil(
    async () => (await Promise.all(namespacesHere().filter(isOf(owner)).map(pidsIn))).flat().length === 0,
    { deadlineMs, intervalMs: emptyPollMs },
  );

/** Removes the namespaces of meshes whose launcher no longer runs. Returns how many there were. */
export const removeAbandonedNamespaces = (): Promise<number> =>
  removeWhere((namespace) => {
    const owner = ownerOf(namespace);
    return owner !== undefined && !isRunning(owner.pid, owner.startTicks);
  });
