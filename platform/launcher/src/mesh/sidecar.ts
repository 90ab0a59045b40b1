import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, type MeshTools } from '@parley/engines';
import { answersOk } from '@parley/engines/probe';
import { meshNames, spiffeIdOf, type Authority, type MeshFile, type MeshNode } from '@parley/mesh';
import { stringify } from 'yaml';
import type { Output } from '../cli/output.ts';
import { istiodHostOf } from './control-plane.ts';
import { kubectl } from './kubectl.ts';
import { controlPlanePorts, sidecarPorts, virtualAddresses } from './ports.ts';
import { startProcess, type MeshProcess } from './processes.ts';

/** What sidecars are started with. */
export interface SidecarOptions {
  readonly mesh: MeshFile;
  readonly runDir: string;
  readonly tools: MeshTools;
  readonly envoy: string;
  readonly authority: Authority;
  readonly output: Output;
}

/** A node that has a sidecar. */
export type Captured = MeshNode & { readonly account: string };

export const isCaptured = (node: MeshNode): node is Captured => node.account !== undefined;

/** Where a sidecar says whether it has its certificate and its configuration. */
export const readyUrlOf = ({ address, loopback }: MeshNode): string =>
  loopback === undefined
    ? `http://${address}:${sidecarPorts.ready}/healthz/ready`
    : `http://127.0.0.1:${loopback.adminPort}/ready`;

const readyDeadlineMs = 60_000;
/** pilot-agent drains for 5 s before it ends Envoy. */
const graceMs = 8000;
const rulesDeadlineMs = 10_000;
const tokenLifetime = '24h';
/** Connections of this group are not captured: they are the sidecar's own. */
const proxyGroup = '1337';

const tokenPathOf = (node: Captured): string =>
  join(node.sidecarDir, 'var', 'run', 'secrets', 'tokens', 'istio-token');

/** Gets a token for the identity of a node from the API server; the agent reads the file at each use. */
export const renewToken = async (mesh: MeshFile, node: Captured): Promise<void> => {
  const args = ['create', 'token', node.account, '-n', meshNames.namespace];
  const token = await kubectl(mesh, [...args, '--audience', 'istio-ca', '--duration', tokenLifetime]);
  const path = tokenPathOf(node);
  writeFileSync(`${path}.new`, token.trim(), { mode: 0o600 });
  renameSync(`${path}.new`, path);
};

/** The node whose certificate comes from files, not from istiod: so a drill can give it any, as an authority of one's own would. */
const drillNode = 'drill';

const writeCertificate = async (node: Captured, authority: Authority): Promise<void> => {
  const folder = join(node.sidecarDir, 'etc', 'certs'); // pilot-agent watches it
  const { chain, key } = await authority.issue(spiffeIdOf(node.account));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'root-cert.pem'), authority.root);
  writeFileSync(join(folder, 'cert-chain.pem'), chain);
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 });
};

const prepare = async ({ mesh, tools, authority }: SidecarOptions, node: Captured): Promise<void> => {
  const folder = node.sidecarDir;
  for (const inside of [
    'var/run/secrets/tokens',
    'var/run/secrets/istio',
    'var/lib/istio/envoy',
    'etc/istio/proxy',
  ])
    mkdirSync(join(folder, inside), { recursive: true });
  writeFileSync(join(folder, 'var/run/secrets/istio/root-cert.pem'), authority.root);
  if (node.name === drillNode) await writeCertificate(node, authority);
  const template = readFileSync(tools.bootstrapTemplate, 'utf8');
  writeFileSync(
    join(folder, 'var/lib/istio/envoy/envoy_bootstrap_tmpl.json'),
    // All sidecars share one network there, and nothing but loopback is listened on.
    mesh.form === 'loopback' ? template.replaceAll('{{ .wildcard }}', node.address) : template,
  );
  await renewToken(mesh, node);
};

const istiodOf = (mesh: MeshFile): string => `${istiodHostOf(mesh)}:${controlPlanePorts.istiodTls}`;

const proxyConfig = (mesh: MeshFile, node: Captured, envoy: string): object => ({
  discoveryAddress: istiodOf(mesh),
  binaryPath: envoy,
  concurrency: 1,
  serviceCluster: `${node.account}-sidecar`, // the name of its spans
  ...(node.loopback === undefined
    ? { statusPort: sidecarPorts.status }
    : {
        // The agent insists on a page of its own for every address of the machine: istiod has this port, so it does without.
        statusPort: controlPlanePorts.istiodTls,
        proxyAdminPort: node.loopback.adminPort,
        interceptionMode: 'NONE',
      }),
  fileFlushInterval: '0.2s',
  terminationDrainDuration: '1s',
  proxyStatsMatcher: {
    inclusionPrefixes: [
      'cluster.outbound',
      'cluster.inbound',
      'http.',
      'listener.',
      'cluster.xds-grpc',
      'server',
      'sds',
    ],
  },
});

/** Runs as root without any capability, since the run folder is root's; of a group of its own, by which the rules know it. */
const asProxyGroup = [
  ...['setpriv', '--regid', proxyGroup, '--clear-groups'],
  ...['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'],
] as const;

/** Starts pilot-agent with Envoy for a node, in its namespace if it has one, and waits until it has its certificate and its configuration. */
export const startSidecar = async (options: SidecarOptions, node: Captured): Promise<MeshProcess> => {
  const { mesh, runDir, tools, envoy, output } = options;
  await prepare(options, node);
  const labels = {
    app: node.service ?? node.account,
    version: node.version,
    'service.istio.io/canonical-name': node.service ?? node.account,
  };
  const agent: readonly [string, ...string[]] = [
    tools.pilotAgent,
    'proxy',
    'sidecar',
    '--domain',
    `${meshNames.namespace}.svc.${meshNames.clusterDomain}`,
  ];
  const [program, ...args] = node.namespace === undefined ? agent : ([...asProxyGroup, ...agent] as const);
  return startProcess({
    name: `sidecar-${node.name}`,
    runDir,
    ...(node.namespace === undefined ? {} : { namespace: node.namespace }),
    cwd: node.sidecarDir,
    command: [
      program,
      ...args,
      '--proxyLogLevel',
      'warning',
      '--proxyComponentLogLevel',
      'connection:debug', // why a certificate is refused is said there only, once for each connection
    ],
    env: {
      INSTANCE_IP: node.address,
      POD_NAME: node.name,
      POD_NAMESPACE: meshNames.namespace,
      SERVICE_ACCOUNT: node.account,
      TRUST_DOMAIN: meshNames.trustDomain,
      CA_ADDR: istiodOf(mesh),
      ISTIO_META_CLUSTER_ID: 'parley',
      ISTIO_METAJSON_LABELS: JSON.stringify(labels),
      SECRET_TTL: '24h',
      PROXY_CONFIG: stringify(proxyConfig(mesh, node, envoy)),
      ...(node.loopback === undefined ? {} : { ISTIO_META_INTERCEPTION_MODE: 'NONE' }),
    },
    isReady: () => answersOk(readyUrlOf(node)),
    readyDeadlineMs,
    graceMs,
    output,
  });
};

/** Ports of a node that are not captured: health and measurements, and what the gateway offers to the outside. */
const openPorts = ({ mesh }: Pick<SidecarOptions, 'mesh'>, node: Captured): readonly number[] => [
  ...Object.values(sidecarPorts),
  ...mesh.services.filter(({ name }) => name === node.service).map(({ httpPort }) => httpPort + 2), // operations
  ...(node.name === 'gateway' ? [mesh.portBase + 80, mesh.portBase + 89] : []),
];

const rulesOf = (options: Pick<SidecarOptions, 'mesh'>, node: Captured): readonly string[] => [
  ...['-p', '15001', '-z', '15006', '-u', proxyGroup, '-g', proxyGroup, '-m', 'REDIRECT'],
  // Told which tables: its own guess changes once the other kind was looked at, and then it does not find its rules.
  ...['--force-iptables-binary', 'nft'],
  ...['-i', '*', '-x', `${options.mesh.hub.address}/32`, '-b', '*', '-d', openPorts(options, node).join(',')],
];

const iptables = async (options: SidecarOptions, node: Captured, ...more: string[]): Promise<void> => {
  if (node.namespace === undefined) return; // nothing is captured
  const command = [options.tools.pilotAgent, 'istio-iptables', ...rulesOf(options, node), ...more];
  await run('ip', ['netns', 'exec', node.namespace, ...command], { deadlineMs: rulesDeadlineMs });
};

/** Ends connections to services that were made around the sidecar; where the kernel cannot, they stay until one side closes. */
const endDirectConnections = async (node: Captured): Promise<void> => {
  if (node.namespace === undefined) return;
  const ss = ['ss', '-K', '-t', 'state', 'established', 'dst', virtualAddresses];
  await run('ip', ['netns', 'exec', node.namespace, ...ss], { deadlineMs: rulesDeadlineMs }).catch(
    () => undefined,
  );
};

/** Has every connection to and from a node go through its sidecar, by Istio's own tool. */
export const capture = async (options: SidecarOptions, node: Captured): Promise<void> => {
  await iptables(options, node);
  await endDirectConnections(node);
};

/** Takes the rules away again: new connections are the kernel's alone from then on. */
export const release = (options: SidecarOptions, node: Captured): Promise<void> =>
  iptables(options, node, '--cleanup-only');
