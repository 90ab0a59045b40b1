/** The parent's end of the plain producer's process. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Measured } from '../pairs.ts';
import type { PlainAnswer, PlainJob } from './plain-process.ts';

/** Starts and connects it. */
export async function startPlain(bootstrap: string): Promise<PlainProducer> {
  const child = fork(join(import.meta.dirname, 'plain-process.ts'), bootstrap.split(','), {
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  const producer = new PlainProducer(child);
  await producer.answer();
  return producer;
}

export class PlainProducer {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @throws Error when it failed, or its process ended. */
  async run(job: PlainJob): Promise<Measured> {
    this.#child.send(job);
    const answer = await this.answer();
    if ('measured' in answer) return answer.measured;
    throw new Error('error' in answer ? `plain kafkajs: ${answer.error}` : 'plain kafkajs: no answer');
  }

  /** The next message. */
  async answer(): Promise<PlainAnswer> {
    const ended = new AbortController();
    const onExit = (): void => {
      ended.abort(new Error('plain kafkajs: its process ended'));
    };
    this.#child.once('exit', onExit);
    try {
      const [answer] = (await once(this.#child, 'message', { signal: ended.signal })) as [PlainAnswer];
      return answer;
    } finally {
      this.#child.off('exit', onExit);
    }
  }

  /** Its process ends once it is disconnected. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }
}
