import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { claimPortBase, type PortClaim } from '@parley/engines';
import type { Output } from '../cli/output.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { enginesFrom, rootDir, runFiles, type StackContext } from '../stack/context.ts';
import type { EngineHost } from '../stack/engine-host.ts';
import { portsOfStack } from '../stack/ports.ts';
import type { Scale } from '../stack/scale.ts';
import { startStack } from '../stack/stack.ts';
import { startMesh } from '../mesh/mesh.ts';
import { ownRunDir } from './test-run.ts';

/** Far from the developer's 4000, and below the range from which the kernel takes ports of outgoing connections. */
const portBases = [14_000, 15_000, 16_000, 17_000, 18_000, 19_000];

/** Claims a base for a stack of its own, whose ports are all free now. Exit code 3 when there is none. */
export const claimOwnBase = async (): Promise<PortClaim> => {
  const claim = await claimPortBase(portBases, (portBase) => portsOfStack({ portBase }).values());
  if (claim === undefined)
    throw new CommandError(exitCodes.environment, `no free port base among ${portBases.join(', ')}`);
  return claim;
};

/** Where `--keep` leaves the run folder. */
const keptRunDir = join(rootDir, '.parley-kept');

const keepAside = async (runDir: string, output: Output): Promise<void> => {
  if (!existsSync(runDir)) return;
  await rm(keptRunDir, { recursive: true, force: true });
  await rename(runDir, keptRunDir);
  output.line(`the run folder is kept: ${relative(rootDir, keptRunDir)}`);
};

/** What tests on a stack need. */
export interface OwnStackOptions {
  readonly engines: EngineHost;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** Leave the run folder with its logs, in place of the one that was kept before. */
  readonly keep: boolean;
  /** Tells stacks of one process apart. */
  readonly suffix?: string;
  /** For the services, besides what this process has. */
  readonly serviceEnv?: Readonly<Record<string, string>>;
  /** How many instances each service has. Default: one. */
  readonly scale?: Scale | undefined;
}

/** What a stack of whatever kind is to its tests. */
interface Startable {
  readonly what: string;
  readonly start: (context: StackContext) => Promise<{ stop(): Promise<void> }>;
}

/** Starts something with ports and state of its own, calls `use` with its environment, and stops it whatever happens. */
const withOwn = async <T>(
  { output, keep, suffix, serviceEnv = {} }: Omit<OwnStackOptions, 'engines' | 'signal'>,
  { what, start }: Startable,
  use: (env: NodeJS.ProcessEnv) => Promise<T>,
): Promise<T> => {
  const claim = await claimOwnBase();
  const context = {
    root: rootDir,
    runDir: ownRunDir(suffix),
    portBase: claim.base,
    engines: enginesFrom(process.env),
    serviceEnv,
  };
  output.line(`the tests' own ${what}: port base ${context.portBase} …`);
  const startedAt = performance.now();
  try {
    const stack = await start(context);
    output.good(`${what} ready in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    try {
      return await use({
        PARLEY_ENDPOINTS: runFiles(context.runDir).endpoints,
        PARLEY_RUN_DIR: context.runDir,
        PARLEY_PORT_BASE: String(context.portBase),
      });
    } finally {
      await stack.stop();
    }
  } finally {
    await claim.release();
    if (keep) await keepAside(context.runDir, output);
    await rm(context.runDir, { recursive: true, force: true });
  }
};

/**
 * Starts a stack for tests only, with ports and state of its own and no reload, calls `use` with the environment for
 * the process that runs the tests, and stops the stack whatever happens. The run folder carries the name of the run, so
 * two test runs never meet, and neither meets a developer's stack.
 */
export const withOwnStack = <T>(
  options: OwnStackOptions,
  use: (env: NodeJS.ProcessEnv) => Promise<T>,
): Promise<T> => {
  const { engines: host, output, signal, scale } = options;
  const start: Startable['start'] = (context) =>
    startStack(context, { host, output, watch: false, signal, scale });
  return withOwn(options, { what: 'stack', start }, use);
};

/** As `withOwnStack`, with the services in a service mesh. */
export const withOwnMesh = <T>(
  options: OwnStackOptions,
  use: (env: NodeJS.ProcessEnv) => Promise<T>,
): Promise<T> => {
  const start: Startable['start'] = (context) => startMesh(context, options);
  return withOwn(options, { what: 'mesh', start }, use);
};
