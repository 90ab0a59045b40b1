/** Services as processes of their own, on ports that the machine chooses. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestEngines } from '@parley/engines/testing';

const START_MS_MAX = 240_000;
const LINES_KEPT_MAX = 40;
const domains = join(import.meta.dirname, '../..');

export interface ServiceProcess {
  readonly child: ChildProcess;
  readonly http: string;
  readonly ops: string;
  /** host:port; undefined for a service without gRPC. */
  readonly grpc: string | undefined;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

interface Listening {
  readonly http: number;
  readonly ops: number;
  readonly grpc?: number;
}

/** Resolves with the ports once the process says that it listens. */
const listening = (name: string, child: ChildProcess): Promise<Listening> => {
  const { stdout } = child;
  if (stdout === null) throw new Error(`${name} has no stdout`);
  const kept: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new Error(`${name} ${why}; its last lines:\n${kept.join('\n')}`));
    };
    const timer = setTimeout(fail, START_MS_MAX, `does not listen after ${START_MS_MAX} ms`);
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(`ended with ${String(code)}`);
    });
    createInterface(stdout).on('line', (text) => {
      kept.push(text);
      if (kept.length > LINES_KEPT_MAX) kept.shift();
      if (!text.startsWith('{')) return; // a warning of the runtime, say
      const line = JSON.parse(text) as Partial<Listening> & { readonly msg?: string };
      if (line.msg !== 'listening' || line.http === undefined || line.ops === undefined) return;
      clearTimeout(timer);
      resolve({ ...line, http: line.http, ops: line.ops });
    });
  });
};

/** Starts `domains/<service>` against the engines and waits until it listens; kills it when it does not. */
export const startService = async (
  service: 'order' | 'payment' | 'product',
  instance: string,
  options: {
    readonly engines: Pick<TestEngines, 'bootstrap' | 'registryUrl'>;
    readonly env?: Readonly<Record<string, string>>;
    /** Told at once how to end it, whatever becomes of its start. */
    readonly spawned?: (kill: () => Promise<void>) => void;
  },
): Promise<ServiceProcess> => {
  const child = spawn(process.execPath, [join(domains, service, 'src/main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      HTTP_PORT: '0',
      OPS_PORT: '0',
      GRPC_PORT: '0',
      KAFKA_BOOTSTRAP: options.engines.bootstrap,
      REGISTRY_URL: options.engines.registryUrl,
      INSTANCE_ID: instance,
      ...options.env,
    },
  });
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  options.spawned?.(kill);
  try {
    const ports = await listening(instance, child);
    return {
      child,
      http: `http://127.0.0.1:${ports.http}`,
      ops: `http://127.0.0.1:${ports.ops}`,
      grpc: ports.grpc === undefined ? undefined : `127.0.0.1:${ports.grpc}`,
      kill,
    };
  } catch (error) {
    await kill();
    throw error;
  }
};
