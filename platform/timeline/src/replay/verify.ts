/**
 * Is what a service serves what the log says? The service tells positions and hash of one instant; a replay stops at
 * exactly these positions. When the hashes differ, the rows are fetched page by page, and the replay goes on to the
 * positions of each page before it is compared: a service that moves on meanwhile is no difference.
 */
import type { DomainEvent, RecordedEvent } from '@parley/event-log';
import { canonical, type MemoryView } from '@parley/event-log/tools';
import { CommandError } from '../cli/exit.ts';
import type { AnyProjection } from '../projections.ts';
import { diffFields, type FieldDiff } from '../render/diff.ts';
import type { LogSource } from '../source/log-source.ts';
import { liveProjection, liveRows, type LiveProjection } from './ops-client.ts';
import { Rebuild } from './rebuild.ts';

/** A row that differs: `before` is what the log says, `after` what the service serves. */
export interface RowDifference {
  readonly key: string;
  /** Undefined when no event of the log leads to such a row. */
  readonly streamId: string | undefined;
  readonly fields: readonly FieldDiff[];
}

export interface Verification {
  readonly service: string;
  readonly equal: boolean;
  readonly serviceHash: string;
  readonly replayHash: string;
  /** Rows that differ, of which the first `DIFFERENCES_MAX` are told. */
  readonly differing: number;
  readonly differences: readonly RowDifference[];
  /** Counts in which the two differ, though they may agree in the rows. */
  readonly counts: readonly FieldDiff[];
}

export const DIFFERENCES_MAX = 20;
const PAGE = 1000;

export interface VerifyOptions {
  readonly source: LogSource;
  /** Base URLs of the operations servers, by service. */
  readonly services: Readonly<Record<string, string>>;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Replays one projection to where its service is, and compares. The rebuild is left at the positions compared at. */
export async function verify(
  definition: AnyProjection,
  options: VerifyOptions,
): Promise<{ readonly verification: Verification; readonly rebuild: Rebuild }> {
  const { source, services, ...advance } = options;
  const live = await liveProjection(services, definition.name);
  const rebuild = new Rebuild(source, definition.topic, [definition]);
  await rebuild.to(live.status.positions, advance);
  const { status } = live;
  const replayHash = rebuild.view(definition.name).stateHash();
  const { accepted, conflicts, duplicates, badRecords, skippedTypes } = rebuild.progress();
  const base = {
    service: live.service,
    serviceHash: status.stateHash,
    replayHash,
    // Not the folds that threw: a service counts those of its aggregate, too, which a replay does not have.
    counts: diffFields(
      { applied: accepted, conflicts, duplicates, badRecords, skippedTypes },
      {
        applied: status.applied,
        conflicts: status.conflicts,
        duplicates: status.duplicates,
        badRecords: status.badRecords,
        skippedTypes: status.skippedTypes,
      },
    ),
  };
  if (replayHash === status.stateHash)
    return {
      rebuild,
      verification: { ...base, equal: base.counts.length === 0, differing: 0, differences: [] },
    };
  const { differing, differences } = await compareRows(live, rebuild, definition, advance);
  const streams = await streamsOf(definition, new Set(differences.map(({ key }) => key)), rebuild, source);
  return {
    rebuild,
    verification: {
      ...base,
      equal: false,
      differing,
      differences: differences.map((difference) => ({
        ...difference,
        streamId: streams.get(difference.key),
      })),
    },
  };
}

type Keyed = Omit<RowDifference, 'streamId'>;

async function compareRows(
  live: LiveProjection,
  rebuild: Rebuild,
  definition: AnyProjection,
  advance: Pick<VerifyOptions, 'signal'>,
): Promise<{ readonly differing: number; readonly differences: readonly Keyed[] }> {
  const differences: Keyed[] = [];
  let differing = 0;
  const differs = (key: string, ours: unknown, theirs: unknown): void => {
    const fields = diffFields(ours, theirs);
    if (fields.length === 0) return;
    differing++;
    if (differences.length < DIFFERENCES_MAX) differences.push({ key, fields });
  };
  let after: string | undefined;
  do {
    const page = await liveRows(live, after);
    if (
      page.positions.some(
        (position, partition) => position < (rebuild.progress().nextOffsets[partition] ?? 0),
      )
    )
      throw new CommandError(
        'failed',
        `${live.service} went back in the log while it was read: it rebuilds. Try again`,
      );
    await rebuild.to(page.positions, advance);
    const theirs = new Map(page.rows.map(({ key, row }) => [key, row]));
    for (const [key, ours] of rowsBetween(rebuild.view(definition.name), after, page.nextAfter)) {
      differs(key, ours, theirs.get(key));
      theirs.delete(key);
    }
    for (const [key, row] of theirs) differs(key, undefined, row);
    after = page.nextAfter;
  } while (after !== undefined);
  return { differing, differences };
}

/** Rows with `after` < key <= `last`, in the form in which a service tells them. */
function* rowsBetween(
  view: MemoryView<unknown, DomainEvent>,
  after: string | undefined,
  last: string | undefined,
): Generator<readonly [string, unknown]> {
  for (let from = after; ;) {
    const page = view.entries({ limit: PAGE, ...(from === undefined ? {} : { after: from }) });
    for (const [key, row] of page) {
      if (last !== undefined && key > last) return;
      yield [key, JSON.parse(canonical(row)) as unknown];
    }
    from = page.at(-1)?.[0];
    if (from === undefined || page.length < PAGE) return;
  }
}

/** In which streams these rows have their events: one more pass, as only a difference asks for it. */
async function streamsOf(
  definition: AnyProjection,
  keys: ReadonlySet<string>,
  rebuild: Rebuild,
  source: LogSource,
): Promise<ReadonlyMap<string, string>> {
  const streams = new Map<string, string>();
  if (keys.size === 0) return streams;
  const target = {
    name: 'streams of rows',
    apply: (event: RecordedEvent): void => {
      const key = definition.key === undefined ? event.streamId : definition.key(event);
      if (keys.has(key)) streams.set(key, event.streamId);
    },
    reset: () => undefined,
  };
  await new Rebuild(source, definition.topic, [], { target }).to(rebuild.progress().nextOffsets);
  return streams;
}
