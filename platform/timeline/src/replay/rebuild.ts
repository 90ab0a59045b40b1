/** Read models of one topic, built anew from a log: the fold of the services, without anything else of them. */
import type { DomainEvent, EventTopic, ReadProgress } from '@parley/event-log';
import { AvroCodec, MemoryView, TopicFold, type FoldTarget } from '@parley/event-log/tools';
import { CommandError } from '../cli/exit.ts';
import type { AnyProjection } from '../projections.ts';
import { sizeOf, type LogSource } from '../source/log-source.ts';

export interface RebuildOptions {
  /** Sees every accepted event beside the views. */
  readonly target?: FoldTarget<DomainEvent>;
}

export class Rebuild {
  readonly topic: EventTopic<DomainEvent>;
  readonly views: ReadonlyMap<string, MemoryView<unknown, DomainEvent>>;
  readonly #source: LogSource;
  readonly #fold: TopicFold<DomainEvent>;

  /** All definitions are of this topic. */
  constructor(
    source: LogSource,
    topic: EventTopic<DomainEvent>,
    definitions: readonly AnyProjection[],
    options: RebuildOptions = {},
  ) {
    this.topic = topic;
    this.#source = source;
    const fold = new TopicFold(topic, new AvroCodec(topic, source.schemas), {
      maxRejected: 1, // no reaction asks for a verdict here
      report: { badRecord: () => undefined, failedFold: () => undefined }, // both are counted
    });
    this.#fold = fold;
    this.views = new Map(
      definitions.map((definition) => {
        const view = new MemoryView(definition, fold);
        fold.addTarget(view);
        return [definition.name, view];
      }),
    );
    if (options.target !== undefined) fold.addTarget(options.target);
  }

  progress(): ReadProgress {
    return this.#fold.progress();
  }

  /** @throws RangeError when no such view is built here. */
  view(name: string): MemoryView<unknown, DomainEvent> {
    const view = this.views.get(name);
    if (view === undefined) throw new RangeError(`${name} is not built here`);
    return view;
  }

  /**
   * Goes on from where it is to exactly these positions. Resolves when everything before them is folded.
   *
   * @throws CommandError when the log does not reach so far, or when the positions lie behind this rebuild.
   */
  async to(
    positions: readonly number[],
    options: {
      readonly onProgress?: (done: number, total: number) => void;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<void> {
    const from = this.#fold.progress().nextOffsets;
    const { name } = this.topic;
    if (positions.length !== from.length || positions.some((to, partition) => to < (from[partition] ?? 0)))
      throw new CommandError(
        'failed',
        `${name}: cannot go from [${from.join(', ')}] to [${positions.join(', ')}]`,
      );
    const ends = await this.#source.endOffsets(name);
    const short = positions.findIndex((to, partition) => to > (ends[partition] ?? 0));
    if (short !== -1)
      throw new CommandError(
        'failed',
        `${name}/${String(short)} ends at ${String(ends[short] ?? 0)} in ${this.#source.name}: it does not reach ${String(positions[short])}`,
      );
    const total = sizeOf(from, positions);
    let done = 0;
    await this.#source.read(
      { topic: name, from, to: positions },
      async (partition, records) => {
        await this.#fold.onRecords(partition, records);
        done += records.length;
        options.onProgress?.(done, total);
      },
      options.signal,
    );
    options.signal?.throwIfAborted();
  }
}

/** The projections by topic, so that a topic is read once for all of them. */
export function byTopic(
  definitions: readonly AnyProjection[],
): readonly (readonly [EventTopic<DomainEvent>, readonly AnyProjection[]])[] {
  const grouped = new Map<EventTopic<DomainEvent>, AnyProjection[]>();
  for (const definition of definitions) {
    const others = grouped.get(definition.topic);
    if (others === undefined) grouped.set(definition.topic, [definition]);
    else others.push(definition);
  }
  return [...grouped];
}
