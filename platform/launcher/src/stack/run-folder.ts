import { existsSync, readFileSync } from 'node:fs';
import type { Endpoints } from '@parley/contracts/endpoints';
import { isRunning, processesStartedWith, startTicksOf } from '@parley/engines/procfs';
import { waitUntil } from '@parley/engines/wait';
import type { Output } from '../cli/output.ts';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';
import { rootDir, runDirFrom, runFiles } from './context.ts';
import { endpointsText, removeEndpoints, writeEndpoints } from './endpoints-file.ts';
import { holderOf } from './lock.ts';

/** How often the run folder is looked at. */
export const lookEveryMs = 500;
/** One look may fall into the moment in which another start has the lock in its hand, to see whether it is a dead one's. */
const lossesMin = 2;
const launcherPath = `${rootDir}/platform/launcher/src/main.ts`;

/** What this launcher knows of its run folder while it runs. */
export interface WatchedRunFolder {
  /** Aborted, with a CommandError, when the folder was removed or taken: its stack cannot go on. */
  readonly lost: AbortSignal;
  /** Writes endpoints.json, and again whenever it is removed or changed. */
  publish(endpoints: Endpoints): Promise<void>;
  /** Removes endpoints.json, for good: the stack is no longer to be used. */
  withdraw(): Promise<void>;
  end(): void;
}

const lossOf = async (runDir: string): Promise<string | undefined> => {
  const holder = await holderOf(runDir);
  if (holder?.pid === process.pid) return undefined;
  if (holder !== undefined) return `another launcher (pid ${holder.pid}) took ${runDir}`;
  return existsSync(runDir) ? `${runFiles(runDir).lock} was removed` : `${runDir} was removed`;
};

const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

/** Looks twice a second whether the run folder is still the one of this process, which holds its lock. */
export const watchRunFolder = (runDir: string, output: Output): WatchedRunFolder => {
  const lost = new AbortController();
  const state: { published?: Endpoints | undefined; looking?: Promise<void> | undefined; losses: number } = {
    losses: 0,
  };
  const restore = async (endpoints: Endpoints): Promise<void> => {
    const path = runFiles(runDir).endpoints;
    if (textOf(path) === endpointsText(endpoints)) return;
    await writeEndpoints(runDir, endpoints);
    output.line(`${path} was changed or removed; written again`);
  };
  const look = async (): Promise<void> => {
    const loss = await lossOf(runDir);
    state.losses = loss === undefined ? 0 : state.losses + 1;
    if (loss === undefined) {
      if (state.published !== undefined) await restore(state.published);
      return;
    }
    if (state.losses < lossesMin) return;
    clearInterval(timer);
    const message = `${loss} while the stack ran, so it was stopped. Start it again with npm run dev or npm run up`;
    lost.abort(new CommandError(exitCodes.environment, message));
  };
  const timer = setInterval(() => {
    state.looking ??= look()
      .catch((error: unknown) => {
        output.bad(`the run folder: ${messageOf(error)}`);
      })
      .finally(() => (state.looking = undefined));
  }, lookEveryMs);
  return {
    lost: lost.signal,
    publish: async (endpoints) => {
      await writeEndpoints(runDir, endpoints);
      state.published = endpoints;
    },
    withdraw: async () => {
      state.published = undefined;
      await state.looking; // it may be writing
      await removeEndpoints(runDir);
    },
    end: () => {
      clearInterval(timer);
    },
  };
};

/** Other launchers of a run folder, by what they were started with: also one whose lock file was removed. */
export const otherLaunchers = (runDir: string): number[] =>
  processesStartedWith(
    ({ args, env }) => args[1] === launcherPath && args[2] === 'dev' && runDirFrom(env) === runDir,
  );

/** How to wait for launchers to stop by themselves. */
export interface LaunchersGoneOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/** Waits until no other launcher of the run folder runs; true when none does. */
export const otherLaunchersGone = async (runDir: string, options: LaunchersGoneOptions): Promise<boolean> => {
  const launchers = otherLaunchers(runDir).map((pid) => ({ pid, startTicks: startTicksOf(pid) ?? 0 }));
  return waitUntil(() => launchers.every(({ pid, startTicks }) => !isRunning(pid, startTicks)), options);
};
