import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheDir, type ObtainControl } from './artifacts/cache.ts';
import { capturePrerequisites, ensure, etcd } from './artifacts/debian.ts';
import { obtainGo } from './artifacts/go.ts';
import { run, type RunControl } from './artifacts/run.ts';

/** What the service mesh runs on, as paths of files. */
export interface MeshTools {
  readonly pilotDiscovery: string;
  readonly pilotAgent: string;
  readonly istioctl: string;
  readonly kubeApiserver: string;
  readonly kubectl: string;
  /** Istio's custom resource definitions, one YAML file. */
  readonly crds: string;
  /** The template that pilot-agent makes Envoy's bootstrap from. */
  readonly bootstrapTemplate: string;
}

/** Versions that are built. Istio has release tags that are no Go versions, so a commit is pinned; go.sum pins its bytes. */
export const meshVersions = {
  istio: 'v0.0.0-20260827124520-eed52ebb66ad',
  kubernetes: 'v1.36.3',
} as const;

const lockFolder = join(import.meta.dirname, '..', 'lock');
const deadlineMs = 40 * 60_000;
/** Both builds, and before them Go. */
const buildMsMax = 2 * deadlineMs + 15 * 60_000;
const istioCommit = meshVersions.istio.slice(-12);
const [, k8sMajor, k8sMinor] = /^v(\d+)\.(\d+)/.exec(meshVersions.kubernetes) ?? [];

/** Name of the entry in the cache. */
export const meshToolsEntry = `istio-${istioCommit}-kubernetes-${meshVersions.kubernetes.slice(1)}`;

interface GoModule {
  /** A folder in `lock/` with its go.mod and go.sum. */
  readonly name: 'istio' | 'kubernetes';
  readonly packages: readonly string[];
  readonly ldflags: string;
}

const k8sVersion = (field: string, value: string): string =>
  `-X k8s.io/component-base/version.${field}=${value}`;

const modules: readonly GoModule[] = [
  {
    name: 'istio',
    packages: ['pilot/cmd/pilot-discovery', 'pilot/cmd/pilot-agent', 'istioctl/cmd/istioctl'].map(
      (path) => `istio.io/istio/${path}`,
    ),
    ldflags: '-s -w',
  },
  {
    name: 'kubernetes',
    packages: ['k8s.io/kubernetes/cmd/kube-apiserver', 'k8s.io/kubernetes/cmd/kubectl'],
    // Without these the API server calls itself v0.0.0, which clients refuse.
    ldflags: `-s -w ${k8sVersion('gitVersion', meshVersions.kubernetes)} ${k8sVersion('gitMajor', k8sMajor ?? '')} ${k8sVersion('gitMinor', k8sMinor ?? '')}`,
  },
];

/** Files of Istio's module that are needed besides its programs. */
const istioFiles = {
  'crds.yaml': 'manifests/charts/base/files/crd-all.gen.yaml',
  'envoy_bootstrap.json': 'tools/packaging/common/envoy_bootstrap.json',
} as const;

const buildAll = async (folder: string, tools: RunControl, control: ObtainControl): Promise<void> => {
  const work = join(folder, 'work'); // 7 GB while it goes on
  mkdirSync(work);
  const { say } = control;
  say?.('getting Go');
  const go = await obtainGo(control);
  const env = {
    ...tools.marks,
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
    GOPATH: join(work, 'path'),
    GOFLAGS: '-mod=readonly -modcacherw -buildvcs=false', // what go.sum does not name is refused
    GOCACHE: join(work, 'cache'),
    GOMODCACHE: join(work, 'mod'),
    CGO_ENABLED: '0',
  };
  for (const { name, packages, ldflags } of modules) {
    const source = join(work, name);
    mkdirSync(source);
    for (const file of ['go.mod', 'go.sum']) copyFileSync(join(lockFolder, name, file), join(source, file));
    say?.(`building ${name} ${meshVersions[name]}, several minutes`);
    const args = ['build', '-trimpath', '-ldflags', ldflags, '-o', `${join(folder, 'bin')}/`, ...packages];
    await run(go, args, { ...tools, marks: env, cwd: source, deadlineMs });
  }
  const istio = join(work, 'mod', 'istio.io', `istio@${meshVersions.istio}`);
  for (const [name, path] of Object.entries(istioFiles)) copyFileSync(join(istio, path), join(folder, name));
  rmSync(work, { recursive: true, force: true });
};

const sayEveryMs = 10_000;

/** Where the tools are once they were obtained; they need not be there. */
export const meshToolsAt = (folder: string = join(cacheDir(), meshToolsEntry)): MeshTools => ({
  pilotDiscovery: join(folder, 'bin', 'pilot-discovery'),
  pilotAgent: join(folder, 'bin', 'pilot-agent'),
  istioctl: join(folder, 'bin', 'istioctl'),
  kubeApiserver: join(folder, 'bin', 'kube-apiserver'),
  kubectl: join(folder, 'bin', 'kubectl'),
  crds: join(folder, 'crds.yaml'),
  bootstrapTemplate: join(folder, 'envoy_bootstrap.json'),
});

/** What a mesh is to do, as far as its tools depend on it. */
export interface MeshForm {
  /** Without capture nothing of the kernel's network is changed, and no tool for that is needed. */
  readonly form?: 'captured' | 'loopback';
}

/** Makes sure of what a mesh needs from Debian. Throws EnvironmentError with what to type when it cannot. */
export const obtainMeshPrerequisites = ({
  form = 'captured',
  ...control
}: ObtainControl & MeshForm = {}): Promise<void> =>
  ensure(form === 'captured' ? [etcd, ...capturePrerequisites] : [etcd], control);

/**
 * Builds Istio's control plane and a Kubernetes API server from pinned Go modules, once per machine: about 8 minutes on
 * two cores and 8 GB of disk, of which 0.5 GB stay. Says every ten seconds what it does. Throws EnvironmentError with
 * what to type when it cannot.
 */
export const obtainMeshTools = async ({
  form = 'captured',
  ...control
}: ObtainControl & MeshForm = {}): Promise<MeshTools> => {
  const startedAt = performance.now();
  let doing: string | undefined;
  const say = (line: string): void => {
    doing = line;
    control.say?.(line);
  };
  const timer = setInterval(() => {
    if (doing !== undefined)
      control.say?.(`${doing} … ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  }, sayEveryMs);
  try {
    await obtainMeshPrerequisites({ form, ...control });
    const folder = await cached({
      ...control,
      say,
      root: cacheDir(),
      name: meshToolsEntry,
      buildMsMax,
      build: (target, tools) => buildAll(target, tools, { ...control, say }),
    });
    return meshToolsAt(folder);
  } finally {
    clearInterval(timer);
  }
};
