import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '@parley/contracts/endpoints';
import { z } from 'zod';
import { ask } from './client.ts';
import { runCommand } from './command.ts';
import { pidOf, type StackUnderTest } from './stack.ts';

const root = join(import.meta.dirname, '../..');

/** Of a process that runs. */
export const environmentOf = (pid: number): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .filter((entry) => entry.includes('='))
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );

/** An instance that no launcher knows of, keeps or restarts. */
export interface Guest {
  readonly id: string;
  /** When it was started, as `performance.now()` has it. */
  readonly startedAtMs: number;
  /** Its log so far: one JSON line for each request it answered, among others. */
  readonly log: () => string;
  /** Sends the signal; resolves with how it ended (`exit 0`, `SIGKILL`) once it is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<string>;
}

/** Starts one more instance of a service as its first one was started, on ports that the machine chooses. */
export const startGuest = (stack: StackUnderTest, service: ServiceName, id: string): Guest => {
  const startedAtMs = performance.now();
  const env = environmentOf(pidOf(stack, service));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/main.ts'], {
    cwd: join(root, 'domains', service),
    env: { ...env, INSTANCE_ID: id, SNAPSHOT_DIR: '', HTTP_PORT: '0', OPS_PORT: '0', GRPC_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let log = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text));
  return {
    id,
    startedAtMs,
    log: () => log,
    end: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit');
        child.kill(signal);
        await gone;
      }
      return child.signalCode ?? `exit ${child.exitCode ?? 0}`;
    },
  };
};

const Listed = z.object({ instanceId: z.string(), status: z.string() });
const Registry = z.object({
  applications: z.object({
    application: z.array(z.object({ name: z.string(), instance: z.array(Listed) })),
  }),
});

/** The ids of a service's instances, as the registry itself lists them. */
export const listedIn = async (registryUrl: string, service: ServiceName): Promise<readonly string[]> => {
  const { body } = await ask(`${registryUrl}/apps`, { headers: { accept: 'application/json' } });
  return Registry.parse(body)
    .applications.application.filter(({ name }) => name === service.toUpperCase())
    .flatMap(({ instance }) => instance.map(({ instanceId }) => instanceId));
};

const Discovery = z.object({
  services: z.record(z.string(), z.array(z.object({ id: z.string() }))),
});

/** The ids of the instances of `service` that the process with this operations URL would call. */
export const knownTo = async (opsUrl: string, service: ServiceName): Promise<readonly string[]> => {
  const { body } = await ask(`${opsUrl}/ops/discovery`);
  return (Discovery.parse(body).services[service] ?? []).map(({ id }) => id);
};

/** `npm run scale -- …` without npm; rejects when it fails. */
export const scale = async (stack: StackUnderTest, ...changes: readonly string[]): Promise<void> => {
  const main = join(root, 'platform/launcher/src/main.ts');
  const { exitCode, stderr } = await runCommand(stack, [process.execPath, main, 'scale', ...changes]);
  if (exitCode !== 0) throw new Error(`scale ${changes.join(' ')} ended with ${exitCode}: ${stderr}`);
};

/** How many lines of an instance's log are of this request or call. */
export const countLines = (
  { runDir }: Pick<StackUnderTest, 'runDir'>,
  id: string,
  isMeant: (line: Readonly<Record<string, unknown>>) => boolean,
): number => linesOf(readFileSync(join(runDir, 'logs', `${id}.log`), 'utf8')).filter(isMeant).length;

/** The JSON lines of a log. */
export const linesOf = (text: string): readonly Readonly<Record<string, unknown>>[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>); // bytes of a log become lines
