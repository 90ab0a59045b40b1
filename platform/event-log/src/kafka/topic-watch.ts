/** Looks at the topics of a running log again and again: what somebody alters later would lose accepted commits in silence. */
import type { Logger } from 'pino';
import type { TopicFault } from '../log/transport.ts';

export interface TopicWatchOptions {
  /** What is wrong now; undefined when the brokers do not tell. One look at a time. */
  readonly look: () => Promise<readonly TopicFault[] | undefined>;
  readonly everyMs: number;
  readonly logger: Pick<Logger, 'warn' | 'info' | 'debug'>;
}

export class TopicWatch {
  readonly #options: TopicWatchOptions;
  #faults: readonly TopicFault[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: TopicWatchOptions) {
    this.#options = options;
  }

  /** As of the last look that was answered. */
  get faults(): readonly TopicFault[] {
    return this.#faults;
  }

  /** The first look is after a whole interval: a log that starts has just looked. */
  start(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#look(), this.#options.everyMs);
    this.#timer.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Says what has changed, once; never rejects. */
  async #look(): Promise<void> {
    const { look, logger } = this.#options;
    try {
      const faults = await look();
      if (faults !== undefined && !this.#stopped) this.#tell(faults);
    } catch (error) {
      logger.debug({ err: error }, 'the settings of the topics were not told'); // nor is anything else, which others say
    }
    this.start();
  }

  #tell(faults: readonly TopicFault[]): void {
    const { logger } = this.#options;
    if (JSON.stringify(faults) === JSON.stringify(this.#faults)) return;
    this.#faults = faults;
    if (faults.length === 0) logger.info('the topics are as the log needs them again');
    else
      logger.warn(
        { faults },
        'topics were altered to settings that the log cannot be kept with: events may be lost, and the next start is refused',
      );
  }
}
