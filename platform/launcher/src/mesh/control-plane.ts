import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MeshTools } from '@parley/engines';
import { answersOk } from '@parley/engines/probe';
import { meshNames, type Authority, type MeshFile } from '@parley/mesh';
import { stringify } from 'yaml';
import type { Output } from '../cli/output.ts';
import { etcdIn } from './etcd.ts';
import { kubectl } from './kubectl.ts';
import { controlPlanePorts as ports, virtualAddresses } from './ports.ts';
import { emptied, startProcess, type MeshProcess } from './processes.ts';

/** What the control plane is started with. */
export interface ControlPlaneOptions {
  readonly mesh: MeshFile;
  readonly runDir: string;
  readonly tools: MeshTools;
  readonly authority: Authority;
  readonly output: Output;
}

const readyDeadlineMs = 120_000;
const graceMs = 8000;
/** Where etcd and the API server listen: in a namespace nobody else is there. */
const privateHost = ({ form, hub }: MeshFile): string => (form === 'loopback' ? hub.address : '127.0.0.1');

/** By what sidecars and the API server find istiod: its name where a hosts file of the namespace has it. */
export const istiodHostOf = ({ form, hub }: MeshFile): string =>
  form === 'loopback' ? hub.address : `istiod.${meshNames.rootNamespace}.svc`;

/** One access log line per call: what the tests count, and what an operator looks for. */
const accessLogFormat = {
  start_time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  duration_ms: '%DURATION%',
  route_name: '%ROUTE_NAME%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  downstream_transport_failure_reason: '%DOWNSTREAM_TRANSPORT_FAILURE_REASON%',
  downstream_peer: '%DOWNSTREAM_PEER_URI_SAN%',
  downstream_tls: '%DOWNSTREAM_TLS_VERSION%',
  traceparent: '%REQ(TRACEPARENT)%',
  correlation_id: '%REQ(X-CORRELATION-ID)%',
} as const;

const meshConfig = (mesh: MeshFile): object => ({
  trustDomain: meshNames.trustDomain,
  rootNamespace: meshNames.rootNamespace,
  accessLogFile: 'access.jsonl', // in each sidecar's own folder
  accessLogEncoding: 'JSON',
  accessLogFormat: JSON.stringify(accessLogFormat),
  enablePrometheusMerge: false,
  defaultConfig: {
    discoveryAddress: `${istiodHostOf(mesh)}:${ports.istiodTls}`,
    concurrency: 1,
  },
  extensionProviders: [
    {
      name: 'zipkin',
      zipkin: {
        service: meshNames.zipkinHost,
        port: mesh.zipkinPort,
        traceContextOption: 'USE_B3_WITH_W3C_PROPAGATION',
      },
    },
  ],
});

const kubeconfigOf = (mesh: MeshFile, token: string): object => ({
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'mesh',
  clusters: [
    {
      name: 'mesh',
      cluster: {
        server: `https://${privateHost(mesh)}:${ports.kubernetes}`,
        'insecure-skip-tls-verify': true,
      },
    },
  ],
  users: [{ name: 'admin', user: { token } }],
  contexts: [{ name: 'mesh', context: { cluster: 'mesh', user: 'admin' } }],
});

/** Istio's own check of what is applied; the API server asks istiod before it keeps anything. */
const webhook = (mesh: MeshFile, rootCertificate: string): object => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: 'istio-validator' },
  webhooks: [
    {
      name: 'rev.validation.istio.io',
      clientConfig: {
        url: `https://${istiodHostOf(mesh)}:${ports.istiodWebhook}/validate`,
        caBundle: Buffer.from(rootCertificate).toString('base64'),
      },
      rules: [
        {
          operations: ['CREATE', 'UPDATE'],
          apiGroups: ['security', 'networking', 'telemetry', 'extensions'].map(
            (group) => `${group}.istio.io`,
          ),
          apiVersions: ['*'],
          resources: ['*'],
        },
      ],
      failurePolicy: 'Fail',
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    },
  ],
});

/** Writes what the programs read: keys, certificates, configuration. Nothing of it outlives the run folder. */
const prepare = ({ mesh, runDir, authority }: ControlPlaneOptions): string => {
  const folder = emptied(join(runDir, 'control-plane'));
  const cacerts = join(folder, 'cacerts');
  mkdirSync(cacerts, { recursive: true });
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const secret = { mode: 0o600 };
  const adminToken = randomBytes(24).toString('hex'); // in the loopback form every local process reaches the API server
  const [signer = ''] = authority.intermediate.chain.split(/(?<=-----END CERTIFICATE-----\n)/);
  writeFileSync(join(folder, 'sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), secret);
  writeFileSync(join(folder, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(join(folder, 'tokens.csv'), `${adminToken},admin,admin,"system:masters"\n`, secret);
  writeFileSync(mesh.kubeconfig, stringify(kubeconfigOf(mesh, adminToken)), secret);
  writeFileSync(join(folder, 'mesh.yaml'), stringify(meshConfig(mesh)));
  writeFileSync(join(cacerts, 'root-cert.pem'), authority.root);
  writeFileSync(join(cacerts, 'ca-cert.pem'), signer);
  writeFileSync(join(cacerts, 'ca-key.pem'), authority.intermediate.key, secret);
  writeFileSync(join(cacerts, 'cert-chain.pem'), authority.intermediate.chain);
  return folder;
};

const isKubernetesReady = (mesh: MeshFile): Promise<boolean> =>
  kubectl(mesh, ['get', '--raw', '/readyz']).then(
    () => true,
    () => false,
  );

type OnStarted = (process: MeshProcess) => void;

/** What all processes of the control plane have in common. */
const commonOf = ({ runDir, output }: ControlPlaneOptions, folder: string) =>
  ({ runDir, cwd: folder, readyDeadlineMs, graceMs, output }) as const;

/** etcd and the API server, with the kinds of resources that Istio has. */
const startKubernetes = async (
  options: ControlPlaneOptions,
  folder: string,
  started: OnStarted,
): Promise<void> => {
  const { mesh, tools } = options;
  const common = commonOf(options, folder);
  const at = privateHost(mesh);
  const etcd = await etcdIn(folder, at);
  started(await startProcess({ ...common, name: 'etcd', command: etcd.command, isReady: etcd.isReady }));
  const apiServer = {
    ...etcd.clientFlags,
    'secure-port': String(ports.kubernetes),
    'bind-address': at,
    'advertise-address': at,
    'cert-dir': join(folder, 'certs'),
    'service-cluster-ip-range': virtualAddresses,
    'service-account-issuer': 'https://kubernetes.parley.mesh',
    'service-account-signing-key-file': join(folder, 'sa.key'),
    'service-account-key-file': join(folder, 'sa.pub'),
    'token-auth-file': join(folder, 'tokens.csv'),
    'authorization-mode': 'RBAC',
    'disable-admission-plugins': 'ServiceAccount',
  };
  started(
    await startProcess({
      ...common,
      name: 'kube-apiserver',
      command: [tools.kubeApiserver, ...Object.entries(apiServer).map(([key, value]) => `--${key}=${value}`)],
      isReady: () => isKubernetesReady(mesh),
    }),
  );
  await kubectl(mesh, ['apply', '--server-side', '-f', tools.crds]);
  await kubectl(mesh, ['create', 'namespace', meshNames.rootNamespace]).catch(() => undefined);
  await kubectl(mesh, ['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
};

const startIstiod = async (
  options: ControlPlaneOptions,
  folder: string,
  started: OnStarted,
): Promise<void> => {
  const { mesh, tools } = options;
  const common = commonOf(options, folder);
  const { address } = mesh.hub;
  const istiod = {
    kubeconfig: mesh.kubeconfig,
    meshConfig: join(folder, 'mesh.yaml'),
    clusterID: 'parley',
    domain: meshNames.clusterDomain,
    httpAddr: `${address}:${ports.istiodHttp}`,
    httpsAddr: `${address}:${ports.istiodWebhook}`,
    grpcAddr: `${address}:${ports.istiodGrpc}`,
    secureGRPCAddr: `${address}:${ports.istiodTls}`,
    monitoringAddr: `${address}:${ports.istiodMonitoring}`,
    ctrlz_port: '0',
  };
  started(
    await startProcess({
      ...common,
      name: 'istiod',
      command: [
        tools.pilotDiscovery,
        'discovery',
        ...Object.entries(istiod).flatMap(([key, value]) => [`--${key}`, value]),
      ],
      env: {
        ROOT_CA_DIR: join(folder, 'cacerts'),
        // A stock Envoy has neither of Istio's own filters.
        PILOT_ENABLE_ALPN_FILTER: 'false',
        PILOT_ENABLE_METADATA_EXCHANGE: 'false',
        MAX_WORKLOAD_CERT_TTL: '48h',
        POD_NAME: 'istiod-0',
        POD_NAMESPACE: meshNames.rootNamespace,
        CLUSTER_ID: 'parley',
        ...(mesh.form === 'loopback' ? { ISTIOD_CUSTOM_HOST: mesh.hub.address } : {}), // else its certificate is for its name only
      },
      isReady: () => answersOk(`http://${address}:${ports.istiodHttp}/ready`),
    }),
  );
};

/**
 * Starts etcd, the API server and istiod in the hub, with Istio's resource definitions and its validating webhook.
 * `started` gets each process at once, so that a start that fails can be undone.
 */
export const startControlPlane = async (options: ControlPlaneOptions, started: OnStarted): Promise<void> => {
  const folder = prepare(options);
  await startKubernetes(options, folder, started);
  await startIstiod(options, folder, started);
  await kubectl(options.mesh, ['apply', '-f', '-'], stringify(webhook(options.mesh, options.authority.root)));
};
