import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { claimPortBase, type PortClaim } from '@parley/engines';
import type { Output } from '../cli/output.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { rootDir, runFiles } from '../stack/context.ts';
import type { EngineHost } from '../stack/engine-host.ts';
import { endLeftovers } from '../stack/leftovers.ts';
import { startTicksOf } from '@parley/engines/procfs';
import { portsOfStack } from '../stack/ports.ts';
import { startStack } from '../stack/stack.ts';

/** Far from the developer's 4000, and below the range from which the kernel takes ports of outgoing connections. */
const portBases = [14_000, 15_000, 16_000, 17_000, 18_000, 19_000];

/** Claims a base for a stack of its own, whose ports are all free now. Exit code 3 when there is none. */
export const claimOwnBase = async (): Promise<PortClaim> => {
  const claim = await claimPortBase(portBases, (portBase) => portsOfStack({ portBase }).values());
  if (claim === undefined)
    throw new CommandError(exitCodes.environment, `no free port base among ${portBases.join(', ')}`);
  return claim;
};

const prefix = '.parley-test-';
const leftoverGraceMs = 5000;

/** Ends and removes what earlier test runs left whose process is gone: they were killed, or kept their folder. */
const removeAbandoned = async (): Promise<void> => {
  for (const name of (await readdir(rootDir)).filter((entry) => entry.startsWith(prefix))) {
    if (startTicksOf(Number(name.slice(prefix.length))) !== undefined) continue;
    const runDir = join(rootDir, name);
    await endLeftovers(runDir, leftoverGraceMs);
    await rm(runDir, { recursive: true, force: true });
  }
};

/** What tests on a stack need. */
export interface OwnStackOptions {
  readonly engines: EngineHost;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** Leave the run folder with its logs, until the next run. */
  readonly keep: boolean;
}

/**
 * Starts a stack for tests only, with ports and state of its own and no reload, calls `use` with the environment for
 * the process that runs the tests, and stops the stack whatever happens. The run folder carries the pid, so two test
 * runs never meet, and neither meets a developer's stack.
 */
export const withOwnStack = async <T>(
  { engines, output, signal, keep }: OwnStackOptions,
  use: (env: NodeJS.ProcessEnv) => Promise<T>,
): Promise<T> => {
  await removeAbandoned();
  const claim = await claimOwnBase();
  const context = {
    root: rootDir,
    runDir: join(rootDir, `${prefix}${process.pid}`),
    portBase: claim.base,
  };
  output.line(`the tests' own stack: port base ${context.portBase} …`);
  const startedAt = performance.now();
  try {
    const stack = await startStack(context, { host: engines, output, watch: false, signal });
    output.good(`stack ready in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
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
    if (!keep) await rm(context.runDir, { recursive: true, force: true });
  }
};
