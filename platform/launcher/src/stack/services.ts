import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { serviceNames } from '@parley/contracts/endpoints';
import { shutdownDeadlineMs } from './addresses.ts';
import { runFiles, type StackContext } from './context.ts';
import { readPidFile } from './pid-files.ts';
import { isRunning, marker, startTicksOf } from './procfs.ts';
import { lineSorter } from './turbo-lines.ts';
import { waitUntil } from './wait.ts';

/** The five services under `turbo run dev`. */
export interface RunningServices {
  /** Resolves when turbo ends, by itself or by `stop`. */
  readonly exited: Promise<void>;
  /** Drains all services, then ends turbo. Bounded by the services' shutdown deadline. */
  stop(): Promise<void>;
}

/** Signals every supervisor at once and waits until all are gone; true when they are. */
const drain = async (runDir: string): Promise<boolean> => {
  const supervisors = serviceNames.flatMap((service) => {
    const pid = readPidFile(runDir, service)?.supervisorPid;
    const startTicks = pid === undefined ? undefined : startTicksOf(pid);
    return pid === undefined || startTicks === undefined ? [] : [{ pid, startTicks }];
  });
  for (const { pid } of supervisors) process.kill(pid, 'SIGTERM');
  return waitUntil(() => supervisors.every(({ pid, startTicks }) => !isRunning(pid, startTicks)), {
    deadlineMs: shutdownDeadlineMs + 5000,
  });
};

/** Starts turbo, which starts `parley-run` in each domain. `say` gets what the supervisors say; the rest is in turbo.log. */
export const startServices = (
  { root, runDir, portBase }: StackContext,
  { watch, say }: { readonly watch: boolean; readonly say: (line: string) => void },
): RunningServices => {
  const { logs } = runFiles(runDir);
  mkdirSync(logs, { recursive: true });
  const log = createWriteStream(join(logs, 'turbo.log'), { flags: 'a' });
  const turbo = spawn(
    'turbo',
    ['run', 'dev', '--filter=./domains/*', '--ui=stream', '--concurrency=20', '--log-prefix=none'],
    {
      cwd: root,
      detached: true, // Ctrl-C at the terminal reaches the launcher only: it decides the order in which things stop
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        TURBO_TELEMETRY_DISABLED: '1',
        PARLEY_RUN_DIR: runDir,
        PARLEY_PORT_BASE: String(portBase),
        PARLEY_WATCH: watch ? '1' : '0',
        [marker]: runDir,
      },
    },
  );
  const feed = lineSorter(say, (line) => void log.write(`${line}\n`));
  turbo.stdout.setEncoding('utf8').on('data', feed);
  turbo.stderr.setEncoding('utf8').on('data', feed);
  turbo.on('error', (error) => {
    say(`turbo cannot start: ${error.message}`);
  });
  const exited = once(turbo, 'close').then(
    () => void log.end(),
    () => void log.end(),
  );
  return {
    exited,
    stop: async () => {
      await drain(runDir);
      if (turbo.exitCode === null && turbo.signalCode === null) turbo.kill('SIGTERM');
      const timer = setTimeout(() => turbo.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(timer);
    },
  };
};
