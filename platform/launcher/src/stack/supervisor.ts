import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Output } from '../cli/output.ts';
import { nextRestart } from './backoff.ts';
import { sayDeath } from './death.ts';
import { waitUntil } from '@parley/engines/wait';

/** What to keep running. */
export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** stdout and stderr are appended here. */
  readonly logPath: string;
  /** After SIGTERM, how long until SIGKILL. */
  readonly stopDeadlineMs: number;
  /** Told what a person should know: deaths, restarts, and that it is ready again after them. */
  readonly output: Output;
  /** Whether it does its work now, asked after a death or a reload until it does. */
  readonly isReady: () => Promise<boolean>;
  /** Told the pid of each start. */
  readonly started?: (pid: number) => void;
}

/** How long after a restart readiness is still news. */
const readyDeadlineMs = 180_000;

/** Keeps one process running until `stop`: a death is said by name with the last lines of its log, then it is started again with growing pauses. */
export class Supervisor {
  readonly #spec: ProcessSpec;
  #child: ChildProcess | undefined;
  #failures = 0;
  #stopping = false;
  #reloading = false;
  /** What to say once it is ready; nothing at the first start, which the launcher awaits. */
  #said: string | undefined;
  /** Ends the pause before a restart. */
  #wake = new AbortController();

  constructor(spec: ProcessSpec) {
    this.#spec = spec;
  }

  /** Resolves after `stop`, when the process is gone. */
  async run(): Promise<void> {
    const stopped = (): boolean => this.#stopping; // asked anew after each await
    while (!stopped()) {
      const startedAt = performance.now();
      const child = this.#spawn();
      this.#child = child;
      const ended = new AbortController();
      if (this.#said !== undefined) this.#sayWhenReady(this.#said, ended.signal);
      const death = await new Promise<string>((resolve) => {
        child.once('error', (error) => {
          resolve(`cannot start: ${error.message}`);
        });
        child.once('exit', (code, signal) => {
          resolve(signal === null ? `ended with code ${code ?? 0}` : `was ended by ${signal}`);
        });
      });
      this.#child = undefined;
      ended.abort();
      if (stopped()) return;
      this.#said = this.#reloading ? 'is ready with the change' : 'runs again';
      if (this.#reloading) this.#reloading = false;
      else await this.#pauseAfter(death, performance.now() - startedAt);
    }
  }

  /** Stops the process (drain first) and starts it anew at once; also ends a pause. */
  reload(): void {
    this.#failures = 0;
    this.#wake.abort();
    if (this.#child === undefined) return;
    this.#reloading = true;
    void this.#terminate();
  }

  /** SIGTERM, then SIGKILL at the deadline; resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake.abort();
    await this.#terminate();
  }

  #spawn(): ChildProcess {
    const { command, args, cwd, env, logPath } = this.#spec;
    mkdirSync(dirname(logPath), { recursive: true });
    const log = openSync(logPath, 'a');
    try {
      const child = spawn(command, args, { cwd, env, stdio: ['ignore', log, log], detached: true });
      if (child.pid !== undefined) this.#spec.started?.(child.pid);
      return child;
    } finally {
      closeSync(log);
    }
  }

  async #pauseAfter(death: string, ranMs: number): Promise<void> {
    const { name, logPath, output } = this.#spec;
    const restart = nextRestart(this.#failures, ranMs);
    this.#failures = restart.failures;
    await sayDeath(output, { name, death, logPath, pauseMs: restart.pauseMs });
    if (this.#stopping) return;
    this.#wake = new AbortController();
    await delay(restart.pauseMs, undefined, { signal: this.#wake.signal }).catch(() => undefined);
  }

  #sayWhenReady(what: string, ended: AbortSignal): void {
    const { name, output, isReady } = this.#spec;
    waitUntil(isReady, { deadlineMs: readyDeadlineMs, signal: ended }).then(
      (ready) => {
        if (ready) output.good(`${name} ${what}`);
      },
      () => undefined, // it ended before it was ready, which is said
    );
  }

  async #terminate(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#spec.stopDeadlineMs);
    await gone;
    clearTimeout(timer);
  }
}
