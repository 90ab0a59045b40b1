import type { Logger } from './logging.ts';

/** Stops one part. `deadlineMs` is what is left of the shutdown's deadline. */
export type StopHook = (options: { readonly deadlineMs: number }) => Promise<void> | void;

export type LifecycleState = 'starting' | 'running' | 'draining' | 'stopped';

const LAST_DEADLINE_MS = 1_000;

/** 3 where the error says so: what is outside does not fit, and another start would end the same. 1 otherwise. */
const exitCodeOf = (error: unknown): number =>
  error instanceof Error && 'exitCode' in error && error.exitCode === 3 ? 3 : 1;

interface NamedStep {
  readonly name: string;
  /** False: something was cut off. */
  readonly stop: (deadlineMs: number) => Promise<boolean>;
}

/**
 * The order in which a process starts and stops: first what keeps callers away, then the servers drain together, hooks
 * follow in reverse order of registration, operations and telemetry come last. All of it within one deadline; a step that exceeds it is left.
 */
export class Lifecycle {
  readonly #logger: Logger;
  readonly #deadlineMs: number;
  readonly #ownsProcess: boolean;
  readonly #abort = new AbortController();
  readonly #first: NamedStep[] = [];
  readonly #servers: NamedStep[] = [];
  readonly #hooks: NamedStep[] = [];
  readonly #last: NamedStep[] = [];
  #state: LifecycleState = 'starting';
  #stopping: Promise<boolean> | undefined;

  constructor(options: {
    readonly logger: Logger;
    readonly deadlineMs: number;
    readonly ownsProcess: boolean;
  }) {
    this.#logger = options.logger;
    this.#deadlineMs = options.deadlineMs;
    this.#ownsProcess = options.ownsProcess;
  }

  get state(): LifecycleState {
    return this.#state;
  }

  /** Aborts as the process begins to stop. */
  get stopping(): AbortSignal {
    return this.#abort.signal;
  }

  /** A step before the servers drain: requests are still answered. */
  addFirst(name: string, stop: (deadlineMs: number) => Promise<void>): void {
    this.#first.push({ name, stop: async (deadlineMs) => (await stop(deadlineMs), true) });
  }

  addServer(name: string, drain: (deadlineMs: number) => Promise<boolean>): void {
    this.#servers.push({ name, stop: drain });
  }

  addHook(name: string, hook: StopHook): void {
    this.#hooks.push({ name, stop: async (deadlineMs) => (await hook({ deadlineMs }), true) });
  }

  addLast(name: string, stop: (deadlineMs: number) => Promise<void>): void {
    this.#last.push({ name, stop: async (deadlineMs) => (await stop(deadlineMs), true) });
  }

  /** Starts; when that fails, stops what was started and ends the process (see `exitCodeOf`) or rejects. */
  async run(start: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#ownsProcess) this.#handleSignals();
    try {
      await start(this.#abort.signal);
    } catch (error) {
      if (this.#stopping !== undefined) return; // asked to stop while starting: the drain decides
      this.#logger.fatal({ err: error }, 'the service cannot start');
      await this.stop('the start failed');
      if (!this.#ownsProcess) throw error;
      process.exit(exitCodeOf(error));
    }
    if (this.#stopping === undefined) this.#state = 'running';
  }

  /** Idempotent. True when everything ended by itself within the deadline. */
  stop(reason: string): Promise<boolean> {
    this.#stopping ??= this.#drain(reason);
    return this.#stopping;
  }

  async #drain(reason: string): Promise<boolean> {
    this.#state = 'draining';
    this.#logger.info({ reason }, 'draining');
    const endAtMs = performance.now() + this.#deadlineMs;
    this.#abort.abort(new Error('the service is stopping'));
    const left = (): number => Math.max(1, endAtMs - performance.now());
    for (const step of this.#first) await this.#step(step, left());
    const drained = await Promise.all(this.#servers.map((server) => this.#step(server, left())));
    let clean = drained.every(Boolean);
    for (const hook of this.#hooks.toReversed()) clean = (await this.#step(hook, left())) && clean;
    this.#state = 'stopped';
    this.#logger.info({ clean }, 'stopped');
    for (const step of this.#last.toReversed()) await this.#step(step, LAST_DEADLINE_MS);
    return clean;
  }

  async #step(step: NamedStep, deadlineMs: number): Promise<boolean> {
    const late = Promise.withResolvers<'late'>();
    // The step knows the deadline and may use all of it: a little later it is given up.
    const timer = setTimeout(late.resolve, deadlineMs + 100, 'late');
    try {
      const outcome = await Promise.race([step.stop(deadlineMs), late.promise]);
      if (outcome === 'late') this.#logger.warn({ step: step.name }, 'did not stop within the deadline');
      else if (!outcome) this.#logger.warn({ step: step.name }, 'was still under way at the deadline');
      return outcome === true;
    } catch (error) {
      this.#logger.error({ err: error, step: step.name }, 'failed while stopping');
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  #handleSignals(): void {
    const onSignal = (signal: NodeJS.Signals): void => {
      if (this.#stopping !== undefined) return; // one signal is enough; the deadline bounds the rest
      void this.stop(signal).then((clean) => process.exit(clean ? 0 : 1));
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    const onBroken = (error: unknown): void => {
      this.#logger.fatal({ err: error }, 'a broken invariant ended the process');
      process.exit(1);
    };
    process.on('uncaughtException', onBroken);
    process.on('unhandledRejection', onBroken);
  }
}
