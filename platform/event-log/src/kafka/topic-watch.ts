/** Looks at the topics of a running log again and again: what somebody alters later would lose accepted commits in silence. */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { TopicFault } from '../log/transport.ts';

/** What is not as the log needs it, and what is not as it should be and can be lived with. */
export interface Seen {
  readonly faults: readonly TopicFault[];
  readonly advice: readonly TopicFault[];
}

export interface TopicWatchOptions {
  /** What is wrong now; undefined when the brokers do not tell. One look at a time. */
  readonly look: () => Promise<Seen | undefined>;
  /** As `look`, at the start, when somebody has said it already. */
  readonly first: Seen | undefined;
  readonly everyMs: number;
  readonly logger: Pick<Logger, 'warn' | 'info' | 'debug'>;
}

/** Said of topics that can be read, at a price. */
export const PACKED_BY_OTHERS =
  'topics hand out batches as others pack them; those that unpack to too much count as bad records';

export class TopicWatch {
  readonly #options: TopicWatchOptions;
  #seen: Seen | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: TopicWatchOptions) {
    this.#options = options;
    this.#seen = options.first;
  }

  /** As of the last look that was answered; undefined when none was. */
  get faults(): readonly TopicFault[] | undefined {
    return this.#seen?.faults;
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
      const seen = await look();
      if (seen !== undefined && !this.#stopped) this.#tell(seen);
    } catch (error) {
      logger.debug({ err: error }, 'the settings of the topics were not told'); // nor is anything else, which others say
    }
    this.start();
  }

  #tell({ faults, advice }: Seen): void {
    const { logger } = this.#options;
    const before = this.#seen ?? { faults: [], advice: [] };
    this.#seen = { faults, advice };
    if (!isDeepStrictEqual(advice, before.advice) && advice.length > 0)
      logger.warn({ advice }, PACKED_BY_OTHERS);
    if (isDeepStrictEqual(faults, before.faults)) return;
    if (faults.length === 0) logger.info('the topics are as the log needs them again');
    else
      logger.warn(
        { faults },
        'topics were deleted, or altered to settings that the log cannot be kept with: events may be lost, and a start on altered ones is refused',
      );
  }
}
