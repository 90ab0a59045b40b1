import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { StackUnderTest } from './stack.ts';

const domains = join(import.meta.dirname, '../../domains');
const STOP_MS_MAX = 60_000;

/** One more process of notification beside those of the stack, on ports that the machine chooses. */
export class ExtraNotification {
  readonly #child: ChildProcess;
  #listens = false;

  /** `env`: what it has besides; by `EUREKA_URL` it is listed in the registry. */
  constructor(
    { endpoints }: Pick<StackUnderTest, 'endpoints'>,
    instance: string,
    env: Readonly<Record<string, string>> = {},
  ) {
    this.#child = spawn(process.execPath, [join(domains, 'notification/src/main.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        HTTP_PORT: '0',
        OPS_PORT: '0',
        KAFKA_BOOTSTRAP: endpoints.kafka.bootstrap,
        REGISTRY_URL: endpoints.registry.url,
        RABBITMQ_URL: endpoints.rabbitmq.amqp,
        INSTANCE_ID: instance,
        ...env,
      },
    });
    if (this.#child.stdout === null) throw new Error('no stdout');
    createInterface(this.#child.stdout).on('line', (line) => {
      if (line.includes('"msg":"listening"')) this.#listens = true;
    });
  }

  /** True once its consumer group has let it in. */
  get isReady(): boolean {
    return this.#listens && this.isRunning;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Drains, or dies at once; resolves when the process is gone. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.isRunning) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX);
    await gone;
    clearTimeout(late);
  }
}
