import { existsSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { EnvironmentError } from '../errors.ts';
import type { ObtainControl } from './cache.ts';
import { run, withoutPerfData } from './run.ts';

/** What the machine itself must have, from Debian when it may be installed. */
export interface Prerequisite {
  readonly name: string;
  /** Debian's package that brings it. */
  readonly package: string;
  /** Its version, undefined when it is missing. */
  readonly version: () => Promise<string | undefined>;
}

const probeDeadlineMs = 20_000;
const installDeadlineMs = 10 * 60_000;

const output = async (command: string, args: readonly string[]): Promise<string | undefined> => {
  try {
    return stripVTControlCharacters(
      await run(command, args, { deadlineMs: probeDeadlineMs, marks: withoutPerfData() }),
    );
  } catch {
    return undefined; // missing or broken: the same to the caller
  }
};

/** A tool whose version is what `pattern` finds in what it prints. */
const tool = (
  name: string,
  debian: string,
  { command, pattern }: { readonly command: readonly [string, ...string[]]; readonly pattern: RegExp },
): Prerequisite => ({
  name,
  package: debian,
  version: async () => pattern.exec((await output(command[0], command.slice(1))) ?? '')?.[1],
});

/** Where the API server of a service mesh keeps its resources. */
export const etcd = tool('etcd', 'etcd-server', {
  command: ['etcd', '--version'],
  pattern: /etcd Version: (\S+)/,
});

/** What namespaces, capture and a look at packets need. */
export const capturePrerequisites: readonly Prerequisite[] = [
  tool('iptables', 'iptables', { command: ['iptables', '--version'], pattern: /iptables v(\S+)/ }),
  tool('iproute2', 'iproute2', { command: ['ip', '-V'], pattern: /iproute2-([^\s,]+)/ }),
  tool('sysctl', 'procps', { command: ['sysctl', '--version'], pattern: /procps\S* (\S+)/ }),
  tool('tcpdump', 'tcpdump', { command: ['tcpdump', '--version'], pattern: /tcpdump version (\S+)/ }),
];

/** Its package brings a Java for Maven itself. */
export const maven = tool('maven', 'maven', { command: ['mvn', '-v'], pattern: /Apache Maven (\S+)/ });
export const python3 = tool('python3', 'python3', {
  command: ['python3', '--version'],
  pattern: /Python (\S+)/,
});
export const pip = tool('pip', 'python3-pip', {
  command: ['python3', '-m', 'pip', '--version'],
  pattern: /pip (\S+)/,
});

/** An engine that Debian has: it is there when its file is, in the version of the package. */
export const debianPackage = (
  name: string,
  debian: { readonly package: string; readonly file: string },
): Prerequisite => ({
  name,
  package: debian.package,
  version: async () => {
    if (!existsSync(debian.file)) return undefined;
    return (await output('dpkg-query', ['-W', '-f', '${Version}', debian.package]))?.trim() ?? 'unknown';
  },
});

/** How this user becomes root. */
interface Rights {
  readonly isRoot: boolean;
  readonly hasSudo: boolean;
}

const rightsHere = (): Rights => ({
  isRoot: process.getuid?.() === 0,
  hasSudo: existsSync('/usr/bin/sudo'),
});

/** The one command that brings prerequisites onto a Debian machine; without sudo it asks for root's password. */
export const fixFor = (
  missing: readonly Prerequisite[],
  { isRoot, hasSudo }: Rights = rightsHere(),
): string => {
  const names = missing.map((what) => what.package).join(' ');
  const command = (prefix: string): string =>
    `${prefix}apt-get update && ${prefix}apt-get install -y --no-install-recommends ${names}`;
  if (isRoot) return command('');
  return hasSudo ? command('sudo ') : `su -c '${command('')}'`;
};

const policyMark = 'written by parley for one installation';

/**
 * The words that run an installation under a policy by which its packages start no service of the system: engines are
 * started by us, on ports of their own. One after the other on a machine. A policy that is there already is kept; ours
 * is removed at the end, and one that a kill left by the next installation.
 */
export const withoutServices = (
  command: readonly string[],
  { policy, lock }: { readonly policy: string; readonly lock: string } = {
    policy: '/usr/sbin/policy-rc.d',
    lock: '/run/lock/parley-apt.lock',
  },
): readonly [string, ...string[]] => {
  const script = `
policy=$1; shift
if [ -e "$policy" ] && ! grep -q '${policyMark}' "$policy"; then exec "$@"; fi
trap 'rm -f "$policy"' EXIT
trap 'exit 143' HUP INT TERM
printf '#!/bin/sh\n# ${policyMark}\nexit 101\n' > "$policy" && chmod 755 "$policy" || exit 1
"$@"`;
  return ['flock', '-w', '600', lock, 'sh', '-c', script, 'sh', policy, ...command];
};

let installing: Promise<unknown> = Promise.resolve();

/** How apt-get may be run here: as root, through passwordless sudo, or not at all. */
const aptPrefix = async (): Promise<readonly string[] | undefined> => {
  if (!existsSync('/usr/bin/apt-get')) return undefined;
  if (process.getuid?.() === 0) return [];
  return (await output('sudo', ['-n', 'true'])) === undefined ? undefined : ['sudo', '-n'];
};

const install = async (wanted: readonly Prerequisite[], control: ObtainControl): Promise<void> => {
  const { signal, marks, say } = control;
  const missing: Prerequisite[] = [];
  for (const what of wanted) if ((await what.version()) === undefined) missing.push(what);
  if (missing.length === 0) return;
  const fix = fixFor(missing);
  const prefix = await aptPrefix();
  if (prefix === undefined)
    throw new EnvironmentError(
      `missing on this machine: ${missing.map(({ name }) => name).join(', ')}; it takes root or sudo to install`,
      fix,
    );
  const aptGet = ['apt-get', '-o', 'DPkg::Lock::Timeout=300'];
  const apt = (...args: string[]): Promise<string> => {
    const words = [
      ...prefix,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      ...withoutServices([...aptGet, ...args]),
    ];
    return run('env', words, { signal, marks, deadlineMs: installDeadlineMs });
  };
  const names = missing.map((what) => what.package);
  say?.(`installing with apt-get: ${names.join(' ')}`);
  try {
    await apt('update', '-qq').catch(() => undefined); // stale lists may still do; the installation tells
    await apt('install', '-y', '-qq', '--no-install-recommends', ...names);
  } catch (cause) {
    if (signal?.aborted === true) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new EnvironmentError(`apt-get could not install ${names.join(' ')}: ${message}`, fix, { cause });
  }
};

/** Makes sure of prerequisites, installing what is missing when allowed, one installation at a time. Throws EnvironmentError otherwise. */
export const ensure = async (wanted: readonly Prerequisite[], control: ObtainControl = {}): Promise<void> => {
  const mine = installing.then(() => install(wanted, control));
  installing = mine.catch(() => undefined);
  await mine;
};
