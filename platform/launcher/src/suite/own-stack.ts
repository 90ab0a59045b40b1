import { readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Output } from '../cli/output.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { host } from '../stack/addresses.ts';
import { rootDir, runFiles } from '../stack/context.ts';
import type { EngineHost } from '../stack/engine-host.ts';
import { endLeftovers } from '../stack/leftovers.ts';
import { offsetsOfEngines } from '../stack/ports.ts';
import { startTicksOf } from '../stack/procfs.ts';
import { startStack } from '../stack/stack.ts';

/** Far from the developer's 4000, and below the range from which the kernel takes ports of outgoing connections. */
const portBases = [14_000, 15_000, 16_000, 17_000, 18_000, 19_000];

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, host, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });

const freePortBase = async (): Promise<number> => {
  for (const base of portBases) {
    const ports = [...Object.values(offsetsOfEngines), 100, 110, 120, 130, 140].map(
      (offset) => base + offset,
    );
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
  throw new CommandError(exitCodes.environment, `no free port base among ${portBases.join(', ')}`);
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
  const context = {
    root: rootDir,
    runDir: join(rootDir, `${prefix}${process.pid}`),
    portBase: await freePortBase(),
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
    if (!keep) await rm(context.runDir, { recursive: true, force: true });
  }
};
