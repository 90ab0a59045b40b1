import type { Instance } from '@parley/contracts/endpoints';
import type { Supervisor } from './supervisor.ts';

interface Kept {
  readonly instance: Instance;
  readonly supervisor: Pick<Supervisor, 'run' | 'reload' | 'stop'>;
  /** Resolves when its process is gone and its traces with it. */
  readonly ended: Promise<void>;
}

/** How the instances of a set are run. */
export interface InstanceSetOptions {
  readonly supervise: (instance: Instance) => Kept['supervisor'];
  /** Told when an instance is gone for good. */
  readonly ended: (instance: Instance) => void;
}

const isSame = (a: Instance, b: Instance): boolean => a.id === b.id && a.version === b.version;

/** The instances of one service, each kept running by a supervisor. */
export class InstanceSet {
  readonly #options: InstanceSetOptions;
  #kept: readonly Kept[] = [];
  #changing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: InstanceSetOptions) {
    this.#options = options;
  }

  /**
   * Makes the set consist of `wanted`: drains and ends all others, then starts what is missing. Changes follow one
   * another; one that comes after `stop` does nothing.
   */
  become(wanted: readonly Instance[]): Promise<void> {
    this.#changing = this.#changing.then(() => this.#change(wanted));
    return this.#changing;
  }

  /** Restarts every process. */
  reload(): void {
    for (const { supervisor } of this.#kept) supervisor.reload();
  }

  /** Drains and ends all. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#kept.map(({ supervisor }) => supervisor.stop()));
    await this.#changing;
    await Promise.all(this.#kept.map(({ ended }) => ended));
  }

  async #change(wanted: readonly Instance[]): Promise<void> {
    if (this.#stopped) return;
    const isWanted = ({ instance }: Kept): boolean => wanted.some((other) => isSame(instance, other));
    const surplus = this.#kept.filter((kept) => !isWanted(kept));
    this.#kept = this.#kept.filter(isWanted);
    await Promise.all(surplus.map(({ supervisor }) => supervisor.stop()));
    await Promise.all(surplus.map(({ ended }) => ended));
    if (this.#stopping()) return;
    const missing = wanted.filter((other) => !this.#kept.some(({ instance }) => isSame(instance, other)));
    this.#kept = [...this.#kept, ...missing.map((instance) => this.#start(instance))];
  }

  /** Asked anew after an await. */
  #stopping(): boolean {
    return this.#stopped;
  }

  #start(instance: Instance): Kept {
    const supervisor = this.#options.supervise(instance);
    const ended = supervisor.run().then(() => {
      this.#options.ended(instance);
    });
    return { instance, supervisor, ended };
  }
}
