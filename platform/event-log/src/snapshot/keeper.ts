/** Keeps snapshots of one topic's fold in a folder: starts from the newest that fits, writes new ones now and then. */
import { rm } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { FoldMeta, FrozenFold } from '../log/fold-snapshot.ts';
import { Breather } from './breather.ts';
import { codeHash } from './code-hash.ts';
import { SnapshotRefused, SnapshotUnusable } from './errors.ts';
import { SnapshotFile } from './file-reader.ts';
import { SnapshotFileWriter } from './file-writer.ts';
import { SnapshotFolder, sequenceOf } from './folder.ts';
import { SNAPSHOT_FORMAT } from './format.ts';
import type { SnapshotPart } from './part.ts';
import type { SnapshotSettings } from './settings.ts';
import { Shapes } from './shapes.ts';

const CHECK_EVERY_MS = 1000;
/**
 * Nobody waits for a snapshot that is written now and then, and all services of a machine may write theirs at the same
 * time, as those that fold one topic do: in slices of the usual length less than a tenth of the time is for it. Whoever
 * does wait lets it hurry, or gives it up.
 */
const RESTS_PER_SLICE = 12;
const DROPPED = 'what it was made of was dropped meanwhile';

/** The fold of a topic, as its keeper sees it. */
export interface SnapshottedFold {
  readonly topic: {
    readonly name: string;
    readonly partitions: number;
    readonly schemas: object;
    readonly upcasters?: Readonly<
      Record<
        string,
        { readonly fills: readonly string[]; readonly upcast: (data: object) => object } | undefined
      >
    >;
  };
  readonly parts: readonly SnapshotPart[];
  /** Something that is folded and that no snapshot can hold: then there are none. */
  readonly unkept: string | undefined;
  /** URL of the module with the rules of the fold. */
  readonly module: string;
  freeze(): FrozenFold | undefined;
  adopt(file: SnapshotFile<FoldMeta>): void;
  progress(): { readonly accepted: number };
}

/** What became of the snapshots of one topic since the start of the process. */
export interface SnapshotStatus {
  readonly topic: string;
  /** The newest one, which a start would begin with; undefined while there is none. */
  readonly newest: { readonly bytes: number; readonly ageMs: number } | undefined;
  readonly written: number;
  /** Could not be written. One that was given up, as nobody needed it any more, is not counted. */
  readonly failed: number;
  /** Were there at the start and could not be used. */
  readonly ignored: number;
}

export interface KeeperOptions extends SnapshotSettings {
  readonly logger: Logger;
  /** Monotonic or not, in milliseconds. */
  readonly now: () => number;
}

interface Meta extends FoldMeta {
  readonly codeHash: string;
}

/** What one is written with. */
interface Attempt {
  readonly code: string;
  readonly breather: Breather;
  /** Ends it at its next pause. */
  readonly signal: AbortSignal;
}

interface Written {
  readonly path: string;
  readonly bytes: number;
  readonly events: number;
}

/** One that is being written. */
interface Writing {
  readonly breather: Breather;
  /** Gives it up at its next pause; whatever was written is removed. */
  readonly abort: AbortController;
  /** Resolves when it is over, however it ended, and another one may begin. */
  readonly over: Promise<void>;
}

export class SnapshotKeeper {
  readonly #fold: SnapshottedFold;
  readonly #options: KeeperOptions;
  readonly #folder: SnapshotFolder;
  /** Undefined when there are no snapshots: a part does not name its module, or holds what none can keep. */
  #codeHash: string | undefined;
  /** Paths. */
  #candidates: string[] = [];
  /** Of the file that the fold began with: what is copied from it keeps its numbers. */
  #shapes = new Shapes();
  #accepted = 0;
  /** When the next one may be written, behind few events and behind many. */
  #notBeforeMs = { few: 0, many: 0 };
  #sequence = 0;
  /** The state was dropped this many times. */
  #resets = 0;
  #writing: Writing | undefined;
  /** By the clock of the options. */
  #newest: { readonly bytes: number; readonly writtenAtMs: number } | undefined;
  readonly #counts = { written: 0, failed: 0, ignored: 0 };
  #timer: NodeJS.Timeout | undefined;

  constructor(fold: SnapshottedFold, options: KeeperOptions) {
    this.#fold = fold;
    this.#options = options;
    this.#folder = new SnapshotFolder(options.directory, fold.topic.name);
  }

  status(): SnapshotStatus {
    const newest = this.#newest && {
      bytes: this.#newest.bytes,
      ageMs: this.#options.now() - this.#newest.writtenAtMs,
    };
    return { topic: this.#fold.topic.name, newest, ...this.#counts };
  }

  /** Finds, reads and checks the newest snapshot of this code. Never rejects: without one there is none. */
  async load(): Promise<SnapshotFile<FoldMeta> | undefined> {
    this.#codeHash = this.#hash();
    if (this.#codeHash === undefined) return undefined;
    await this.#folder.removeLeftovers((path, error) => {
      this.#options.logger.warn({ ...this.#about, path, err: error }, 'a leftover stays');
    });
    this.#candidates = await this.#folder.list();
    this.#sequence = Math.max(0, ...this.#candidates.map(sequenceOf));
    return this.#nextCandidate();
  }

  /** Starts the fold from the newest snapshot that lies within the log. @param loaded what `load` answered. */
  async restore(loaded: SnapshotFile<FoldMeta> | undefined, ends: readonly number[]): Promise<void> {
    for (let file = loaded; file !== undefined; file = await this.#nextCandidate()) {
      const beyond = file.meta.partitions.findIndex(({ next }, partition) => next > (ends[partition] ?? 0));
      try {
        if (beyond !== -1)
          throw new SnapshotUnusable('stale', `partition ${beyond} of the log ends before it does`);
        this.#fold.adopt(file);
      } catch (error) {
        this.#ignore(file.path, error);
        continue;
      }
      this.#shapes = file.shapes;
      this.#accepted = this.#fold.progress().accepted;
      this.#pause(0);
      const { bytes, path } = file;
      const ageMs = Math.max(0, Date.now() - file.writtenAtMs);
      this.#newest = { bytes, writtenAtMs: this.#options.now() - ageMs };
      this.#options.logger.info(
        { ...this.#about, path, bytes, events: this.#accepted },
        'started from a snapshot',
      );
      return;
    }
  }

  /** Begins to write snapshots when they are due. */
  start(): void {
    if (this.#codeHash === undefined) return;
    this.#timer = setInterval(() => {
      this.#writeIfDue();
    }, CHECK_EVERY_MS);
    this.#timer.unref();
  }

  /** The fold has dropped its state: what is being written is of a log that is no more, and is given up. */
  onReset(): void {
    this.#drop();
    this.#shapes = new Shapes();
  }

  /**
   * The fold was not what the log says: no snapshot of it is kept, and one that is being written is given up. The next
   * one is written when it is due. Never rejects: one that cannot be removed is told, as a start may begin with it.
   */
  async discard(): Promise<void> {
    this.#drop();
    await this.#writing?.over;
    this.#notBeforeMs = { few: 0, many: 0 };
    this.#newest = undefined;
    await this.#folder.empty((path, error) => {
      this.#options.logger.error({ ...this.#about, path, err: error }, 'a wrong snapshot stays');
    });
  }

  /**
   * Ends writing, with a last snapshot of what was folded since, if the time allows: at the deadline, what is being
   * written is given up and not waited for. Never rejects.
   */
  async stop(deadlineMs: number): Promise<void> {
    clearInterval(this.#timer);
    const late = Promise.withResolvers<'late'>();
    const timer = setTimeout(late.resolve, Math.max(1, deadlineMs), 'late');
    const isInTime = async (work: Promise<void> | undefined): Promise<boolean> =>
      (await Promise.race([work, late.promise])) !== 'late';
    this.#writing?.breather.hurry();
    if ((await isInTime(this.#writing?.over)) && this.#fold.progress().accepted !== this.#accepted)
      await isInTime(this.write({ restsPerSlice: 0 }));
    clearTimeout(timer);
    this.#writing?.abort.abort(new Error('the deadline has passed'));
  }

  /**
   * Writes one now, unless one is being written, a commit is open, or there are no snapshots. Never rejects.
   * @param options.restsPerSlice see `Breather`.
   */
  async write({ restsPerSlice = RESTS_PER_SLICE } = {}): Promise<void> {
    if (this.#writing !== undefined || this.#codeHash === undefined) return;
    const frozen = this.#fold.freeze();
    if (frozen === undefined) return;
    const abort = new AbortController();
    const breather = new Breather(abort.signal, restsPerSlice);
    const attempt = { code: this.#codeHash, breather, signal: abort.signal };
    const over = this.#write(frozen, attempt).finally(() => {
      this.#writing = undefined;
    });
    this.#writing = { breather, abort, over };
    await over;
  }

  #drop(): void {
    this.#resets++;
    this.#accepted = 0;
    this.#notBeforeMs.few = this.#notBeforeMs.many; // what is on the disk is of no use any more
    this.#writing?.abort.abort(new Error(DROPPED));
  }

  #writeIfDue(): void {
    const { minEvents, manyEvents } = this.#options.limits;
    const since = this.#fold.progress().accepted - this.#accepted;
    const notBeforeMs = this.#notBeforeMs[since >= manyEvents ? 'many' : 'few'];
    if (since >= minEvents && this.#options.now() >= notBeforeMs) void this.write();
  }

  #pause(workedMs: number, fewPauseMs = this.#options.limits.fewPauseMs): void {
    const { minPauseMs, maxShare } = this.#options.limits;
    const nowMs = this.#options.now();
    const many = nowMs + Math.max(minPauseMs, workedMs / maxShare);
    this.#notBeforeMs = { few: Math.max(many, nowMs + fewPauseMs), many };
  }

  async #write(frozen: FrozenFold, attempt: Attempt): Promise<void> {
    const { logger, now } = this.#options;
    const { breather } = attempt;
    const startedAtMs = now();
    const written = await this.#writeFile(frozen, attempt);
    const wroteMs = breather.workedMs;
    const thawing = new Breather(); // is not given up, whatever became of the file
    await frozen.thaw(thawing);
    await thawing.pause(); // so that its last slice counts among the longest
    const workedMs = wroteMs + thawing.workedMs;
    if (written === undefined) {
      this.#pause(workedMs, 0);
      return;
    }
    this.#pause(workedMs);
    this.#counts.written++;
    this.#newest = { bytes: written.bytes, writtenAtMs: now() };
    const longestSliceMs = Math.max(breather.longestSliceMs, thawing.longestSliceMs);
    const about = { ...this.#about, ...written, tookMs: now() - startedAtMs, workedMs, longestSliceMs };
    logger.info(about, 'snapshot written');
  }

  /** Undefined when it came to nothing, which was said then. */
  async #writeFile(frozen: FrozenFold, { code, breather, signal }: Attempt): Promise<Written | undefined> {
    const resets = this.#resets;
    let unfinished: string | undefined;
    try {
      unfinished = await this.#folder.unfinished();
      const writer = await SnapshotFileWriter.create(unfinished, {
        breather,
        shapes: new Shapes(this.#shapes.all),
        bytesMax: this.#options.limits.maxBytes,
      });
      const bytes = await this.#fill(writer, frozen, code);
      signal.throwIfAborted();
      const path = await this.#folder.publish(unfinished, this.#sequence + 1);
      if (resets !== this.#resets) {
        await rm(path, { force: true });
        throw new Error(DROPPED);
      }
      this.#sequence++;
      this.#accepted = frozen.meta.counts.accepted ?? 0;
      const written = { path, bytes, events: this.#accepted };
      await this.#folder.prune();
      return written;
    } catch (error) {
      if (unfinished !== undefined) await rm(unfinished, { force: true }).catch(() => undefined);
      if (!signal.aborted && !(error instanceof Error && error.message === DROPPED)) this.#counts.failed++;
      this.#failed(signal.aborted ? signal.reason : error);
      return undefined;
    }
  }

  async #fill(writer: SnapshotFileWriter, frozen: FrozenFold, code: string): Promise<number> {
    try {
      await frozen.write(writer);
      return await writer.finish({ ...frozen.meta, codeHash: code } satisfies Meta);
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  #failed(error: unknown): void {
    const { logger } = this.#options;
    if (error instanceof SnapshotRefused) {
      this.#codeHash = undefined;
      clearInterval(this.#timer);
      logger.error(
        { ...this.#about, why: error.message },
        'no snapshots any more: the fold holds what none can keep',
      );
    } else {
      logger.warn({ ...this.#about, err: error }, 'snapshot not written');
    }
  }

  async #nextCandidate(): Promise<SnapshotFile<FoldMeta> | undefined> {
    for (let path = this.#candidates.pop(); path !== undefined; path = this.#candidates.pop()) {
      try {
        return await SnapshotFile.open<Meta>(path, (meta) => {
          if (meta.codeHash !== this.#codeHash)
            throw new SnapshotUnusable('stale', 'it was made by other code');
        });
      } catch (error) {
        this.#ignore(path, error);
      }
    }
    return undefined;
  }

  #ignore(path: string, error: unknown): void {
    this.#counts.ignored++;
    const known = error instanceof SnapshotUnusable;
    const fault = known ? error.fault : 'damaged';
    const why = known ? error.message : String(error);
    this.#options.logger.warn({ ...this.#about, path, fault, why }, 'snapshot ignored');
  }

  #hash(): string | undefined {
    const { topic, parts, unkept, module } = this.#fold;
    const { logger } = this.#options;
    const silent = parts.find(({ modules }) => modules === undefined);
    const names = parts.map(({ partName }) => partName);
    try {
      if (unkept !== undefined) throw new Error(`${unkept} is no part of a snapshot`);
      if (silent !== undefined) throw new Error(`${silent.partName} does not name its module`);
      if (new Set(names).size !== names.length)
        throw new Error(`two parts have one name: ${names.join(', ')}`);
      const modules = [module, import.meta.url, ...parts.flatMap((part) => part.modules ?? [])];
      const { name, partitions, schemas, upcasters = {} } = topic;
      // Who imports types of events only does not import how old ones are read.
      const upcasts = Object.entries(upcasters).map(([type, upcaster]) => [
        type,
        upcaster?.fills,
        String(upcaster?.upcast),
      ]);
      const facts = { format: SNAPSHOT_FORMAT, name, partitions, schemas, upcasts, parts: names };
      return codeHash(modules, facts);
    } catch (error) {
      logger.warn({ ...this.#about, why: String(error) }, 'no snapshots');
      return undefined;
    }
  }

  get #about(): { readonly topic: string } {
    return { topic: this.#fold.topic.name };
  }
}
