import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { serviceNames } from '@parley/contracts/endpoints';
import type { Output } from '../cli/output.ts';
import { shutdownDeadlineMs } from './addresses.ts';
import { nextRestart } from './backoff.ts';
import { enginesOf, runFiles, type StackContext } from './context.ts';
import { sayDeath } from './death.ts';
import { instanceId, instancesOfStack, opsUrl } from './instances.ts';
import { endLeftovers } from './leftovers.ts';
import { readPidFile } from './pid-files.ts';
import { wordsFor } from '@parley/engines';
import { isRunning, stackMark, startTicksOf } from '@parley/engines/procfs';
import { readScale } from './scale-file.ts';
import { servicesMark } from './supervised.ts';
import { lineSorter } from './turbo-lines.ts';
import { answersOk } from '@parley/engines/probe';
import { waitUntil } from '@parley/engines/wait';

const turboGraceMs = 5000;
/** How long after a restart readiness is still news. */
const readyDeadlineMs = 180_000;
const leftoverGraceMs = shutdownDeadlineMs + 2000;

/** The five services under `turbo run serve`, kept running. */
export interface KeptServices {
  /** Resolves with how turbo ended the first time that nobody asked for it, if ever. */
  readonly firstDeath: Promise<string>;
  /** Drains all services, then ends turbo. Bounded by the services' shutdown deadline. */
  stop(): Promise<void>;
}

/** How to run the services. */
export interface ServicesOptions {
  /** Reload services when their source changes. */
  readonly watch: boolean;
  /** Gets what the supervisors say; the rest is in turbo.log. */
  readonly output: Output;
}

const logPathOf = (runDir: string): string => join(runFiles(runDir).logs, 'turbo.log');

/** Signals every supervisor at once and waits until all are gone; true when they are. */
const drain = async (runDir: string): Promise<boolean> => {
  const supervisors = serviceNames.flatMap((service) => {
    const pid = readPidFile(runDir, instanceId(service, 1))?.supervisorPid;
    const startTicks = pid === undefined ? undefined : startTicksOf(pid);
    return pid === undefined || startTicks === undefined ? [] : [{ pid, startTicks }];
  });
  for (const { pid } of supervisors) process.kill(pid, 'SIGTERM');
  return waitUntil(() => supervisors.every(({ pid, startTicks }) => !isRunning(pid, startTicks)), {
    deadlineMs: shutdownDeadlineMs + 5000,
  });
};

/** Turbo, which starts `parley-run` in each domain. */
interface Turbo {
  /** Resolves with how it ended. */
  readonly exited: Promise<string>;
  /** Ends it when nothing of the services runs any more. */
  end(): Promise<void>;
}

const startTurbo = (context: StackContext, { watch, output }: ServicesOptions): Turbo => {
  const { root, runDir, portBase } = context;
  mkdirSync(runFiles(runDir).logs, { recursive: true });
  const log = createWriteStream(logPathOf(runDir), { flags: 'a' });
  log.on('error', () => undefined); // a full disk must not take the stack down
  const turbo = spawn(
    'turbo',
    ['run', 'serve', '--filter=./domains/*', '--ui=stream', '--concurrency=20', '--log-prefix=none'],
    {
      cwd: root,
      detached: true, // Ctrl-C at the terminal reaches the launcher only: it decides the order in which things stop
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...context.serviceEnv,
        TURBO_TELEMETRY_DISABLED: '1',
        PARLEY_RUN_DIR: runDir,
        PARLEY_PORT_BASE: String(portBase),
        PARLEY_ENGINES: wordsFor(enginesOf(context)).join(','),
        PARLEY_WATCH: watch ? '1' : '0',
        [stackMark]: runDir,
        [servicesMark.name]: servicesMark.value,
      },
    },
  );
  const feed = lineSorter(output, (line) => void log.write(`${line}\n`));
  turbo.stdout.setEncoding('utf8').on('data', feed);
  turbo.stderr.setEncoding('utf8').on('data', feed);
  turbo.on('close', () => log.end());
  const exited = new Promise<string>((resolve) => {
    turbo.on('error', (error) => {
      resolve(`cannot start: ${error.message}`);
    });
    turbo.on('exit', (code, signal) => {
      resolve(signal === null ? `ended with code ${code ?? 0}` : `was ended by ${signal}`);
    });
  });
  return {
    exited,
    end: async () => {
      if (turbo.exitCode !== null || turbo.signalCode !== null || turbo.pid === undefined) return;
      const gone = once(turbo, 'exit');
      turbo.kill('SIGTERM');
      const timer = setTimeout(() => turbo.kill('SIGKILL'), turboGraceMs);
      await gone;
      clearTimeout(timer);
    },
  };
};

/** Says that all services answer again, unless turbo ends before. */
const sayWhenReady = async (
  context: StackContext,
  output: Output,
  exited: Promise<string>,
): Promise<void> => {
  const ended = new AbortController();
  void exited.then(() => {
    ended.abort();
  });
  const allReady = async (): Promise<boolean> => {
    const instances = instancesOfStack(readScale(context.runDir), context);
    const each = await Promise.all(instances.map((instance) => answersOk(`${opsUrl(instance)}/readyz`)));
    return each.every(Boolean);
  };
  const wait = waitUntil(allReady, { deadlineMs: readyDeadlineMs, intervalMs: 500, signal: ended.signal });
  if (await wait.catch(() => false)) output.good('the services run again');
};

/**
 * Starts the services, and all of them again with growing pauses whenever turbo ends by itself or is killed; that is
 * said with the last lines of its log. What the dead turbo left is drained first, so that no service runs twice.
 */
export const keepServices = (context: StackContext, options: ServicesOptions): KeptServices => {
  const { runDir } = context;
  const stopping = new AbortController();
  const firstDeath = Promise.withResolvers<string>();
  const stopped = (): boolean => stopping.signal.aborted; // asked anew after each await
  let turbo = startTurbo(context, options);
  const clear = async (): Promise<void> => {
    await drain(runDir);
    await turbo.end();
    await endLeftovers(runDir, leftoverGraceMs, 'services');
  };
  const keep = async (): Promise<void> => {
    let failures = 0;
    for (;;) {
      const startedAt = performance.now();
      const how = await turbo.exited;
      if (stopped()) return;
      firstDeath.resolve(how);
      const restart = nextRestart(failures, performance.now() - startedAt);
      failures = restart.failures;
      const death = `${how}, and the services with it`;
      await sayDeath(options.output, {
        name: 'turbo',
        death,
        logPath: logPathOf(runDir),
        pauseMs: restart.pauseMs,
      });
      await clear();
      await delay(restart.pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopped()) return;
      turbo = startTurbo(context, options);
      void sayWhenReady(context, options.output, turbo.exited);
    }
  };
  const kept = keep();
  return {
    firstDeath: firstDeath.promise,
    stop: async () => {
      stopping.abort();
      await clear();
      await kept;
    },
  };
};
