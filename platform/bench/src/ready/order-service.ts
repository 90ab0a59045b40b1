/** The real order service as a process of its own, from its start until it is ready. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { LogAddress } from '../replay/orders.ts';

const MAIN = join(import.meta.dirname, '../../../../domains/order/src/main.ts');
const READY_TIMEOUT_MS = 600_000;
const POLL_EVERY_MS = 5;
const REQUEST_TIMEOUT_MS = 2000;
const STOP_DEADLINE_MS = 60_000;

/** A line of the service's log. */
export type Said = Readonly<Record<string, unknown>> & { readonly msg?: string };

export class OrderService {
  readonly #child: ChildProcess;
  readonly #said: Said[] = [];
  /** Base URL of its operations port. */
  readonly ops: string;
  /** Base URL of its REST edge, where the gateway would name the user. */
  readonly http: string;
  readonly #startedAtMs = performance.now();

  private constructor(child: ChildProcess, ports: { readonly http: number; readonly ops: number }) {
    this.#child = child;
    this.ops = `http://127.0.0.1:${ports.ops}`;
    this.http = `http://127.0.0.1:${ports.http}`;
    if (child.stdout === null) throw new Error('the service has no standard output');
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith('{')) this.#said.push(JSON.parse(line) as Said); // its own log
    });
  }

  /** Starts it on a log. Its peers are not there: it asks nothing of them before a request comes. */
  static async start(address: LogAddress, snapshotDir: string): Promise<OrderService> {
    const [http = 0, ops = 0, grpc = 0, nobody = 0] = await freePorts(4);
    const env = {
      ...process.env,
      NODE_NO_WARNINGS: '1',
      KAFKAJS_NO_PARTITIONER_WARNING: '1',
      HTTP_PORT: String(http),
      OPS_PORT: String(ops),
      GRPC_PORT: String(grpc),
      KAFKA_BOOTSTRAP: address.bootstrap,
      REGISTRY_URL: address.registryUrl,
      PRODUCT_GRPC: `127.0.0.1:${nobody}`,
      PAYMENT_URL: `http://127.0.0.1:${nobody}`,
      SNAPSHOT_DIR: snapshotDir,
      SHUTDOWN_DEADLINE_MS: String(STOP_DEADLINE_MS),
    };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    return new OrderService(child, { http, ops });
  }

  /** @throws Error when it could not be started. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the service has no process');
    return this.#child.pid;
  }

  /** Milliseconds from the start of the process until it says that it is ready. */
  async ready(signal: AbortSignal): Promise<number> {
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
    for (;;) {
      timeout.throwIfAborted();
      if (this.#child.exitCode !== null) throw new Error(`the service ended with ${this.#child.exitCode}`);
      const answer = await fetch(`${this.ops}/readyz`, {
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      }).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.status === 200) return performance.now() - this.#startedAtMs;
      await pause(POLL_EVERY_MS);
    }
  }

  /** Waits until the service has logged a message. */
  async said(message: string, signal: AbortSignal): Promise<Said> {
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
    for (;;) {
      const found = this.#said.find(({ msg }) => msg === message);
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null)
        throw new Error(`the service ended with ${this.#child.exitCode} before it said "${message}"`);
      timeout.throwIfAborted();
      await pause(POLL_EVERY_MS);
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS + 5000);
    await ended;
    clearTimeout(kill);
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port); // listening on TCP
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
