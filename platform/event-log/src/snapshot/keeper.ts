/** Keeps snapshots of one topic's fold in a folder: starts from the newest that fits, writes new ones now and then. */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { FoldMeta, FrozenFold } from '../log/fold-snapshot.ts';
import { Breather } from './breather.ts';
import { codeHash } from './code-hash.ts';
import { SnapshotRefused, SnapshotUnusable } from './errors.ts';
import { SnapshotFile } from './file-reader.ts';
import { SnapshotFileWriter } from './file-writer.ts';
import { SNAPSHOT_FORMAT } from './format.ts';
import type { SnapshotPart } from './part.ts';
import { Shapes } from './shapes.ts';

/** When snapshots are written, and how large they may be. */
export interface SnapshotLimits {
  /** Accepted events since the last one. */
  readonly minEvents: number;
  /** Milliseconds since the last one. */
  readonly minPauseMs: number;
  /** Share of the time that may be spent on writing: the pause is at least the work that the last one was ÷ this. */
  readonly maxShare: number;
  /** Bytes of one file; a fold that needs more has no snapshots. Below 4 GiB. */
  readonly maxBytes: number;
}

export const defaultSnapshotLimits: SnapshotLimits = {
  minEvents: 5000,
  minPauseMs: 60_000,
  maxShare: 0.05,
  maxBytes: 2_147_483_648,
};

/** Where and when a log keeps snapshots; undefined: nowhere. */
export interface SnapshotSettings {
  readonly directory: string;
  readonly limits: SnapshotLimits;
}

export const snapshotsIn = (
  directory: string | undefined,
  limits: Partial<SnapshotLimits> = {},
): { readonly snapshots?: SnapshotSettings } =>
  directory === undefined
    ? {}
    : { snapshots: { directory, limits: { ...defaultSnapshotLimits, ...limits } } };

/** The last one, and the one before for the case that the last one is damaged. */
const KEPT = 2;
const CHECK_EVERY_MS = 1000;
/**
 * Nobody waits for a snapshot, and all services of a machine may write theirs at the same time: a quarter of the time is
 * for it.
 */
const RESTS_PER_SLICE = 3;
const SUFFIX = '.snapshot';
const UNFINISHED = '.writing';

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

export interface KeeperOptions extends SnapshotSettings {
  readonly logger: Logger;
  /** Monotonic or not, in milliseconds. */
  readonly now: () => number;
}

interface Meta extends FoldMeta {
  readonly codeHash: string;
}

export class SnapshotKeeper {
  readonly #fold: SnapshottedFold;
  readonly #options: KeeperOptions;
  /** Undefined when there are no snapshots: a part does not name its module, or holds what none can keep. */
  #codeHash: string | undefined;
  #candidates: string[] = [];
  /** Of the file that the fold began with: what is copied from it keeps its numbers. */
  #shapes = new Shapes();
  #accepted = 0;
  #notBeforeMs = 0;
  #sequence = 0;
  /** The state was dropped this many times. */
  #resets = 0;
  #writing: Promise<void> | undefined;
  /** Of what is being written. */
  #breather: Breather | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(fold: SnapshottedFold, options: KeeperOptions) {
    this.#fold = fold;
    this.#options = options;
  }

  /** Finds, reads and checks the newest snapshot of this code. Never rejects: without one there is none. */
  async load(): Promise<SnapshotFile<FoldMeta> | undefined> {
    this.#codeHash = this.#hash();
    if (this.#codeHash === undefined) return undefined;
    await this.#removeLeftovers();
    this.#candidates = await this.#list();
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
      this.#notBeforeMs = this.#options.now() + this.#options.limits.minPauseMs;
      const { bytes, path } = file;
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

  /** The fold has dropped its state: what is being written is of a log that is no more. */
  onReset(): void {
    this.#resets++;
    this.#accepted = 0;
    this.#shapes = new Shapes();
  }

  /**
   * The fold was not what the log says: no snapshot of it is kept, and one that is being written is dropped. The next
   * one is written when it is due. Never rejects.
   */
  async discard(): Promise<void> {
    this.#resets++;
    this.#accepted = 0;
    await this.#writing;
    this.#notBeforeMs = 0;
    for (const name of await this.#list())
      await rm(join(this.#options.directory, name), { force: true }).catch((error: unknown) => {
        this.#failed(error);
      });
  }

  /** Ends writing, with a last snapshot of what was folded since, if the time allows. Never rejects. */
  async stop(deadlineMs: number): Promise<void> {
    clearInterval(this.#timer);
    const signal = AbortSignal.timeout(Math.max(1, Math.floor(deadlineMs)));
    const deadline = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
    this.#breather?.hurry();
    await Promise.race([this.#writing, deadline]);
    if (signal.aborted || this.#codeHash === undefined) return;
    if (this.#fold.progress().accepted !== this.#accepted) await this.write(signal);
  }

  /** Writes one now, unless one is being written, a commit is open, or there are no snapshots. Never rejects. */
  async write(signal?: AbortSignal): Promise<void> {
    if (this.#writing !== undefined || this.#codeHash === undefined) return;
    const frozen = this.#fold.freeze();
    if (frozen === undefined) return;
    this.#writing = this.#write(frozen, this.#codeHash, signal).finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  #writeIfDue(): void {
    const since = this.#fold.progress().accepted - this.#accepted;
    if (since >= this.#options.limits.minEvents && this.#options.now() >= this.#notBeforeMs)
      void this.write();
  }

  async #write(frozen: FrozenFold, code: string, signal: AbortSignal | undefined): Promise<void> {
    const { directory, limits, logger, now } = this.#options;
    const startedAtMs = now();
    const resets = this.#resets;
    const breather = new Breather(signal, signal === undefined ? RESTS_PER_SLICE : 0); // the last one is in a hurry
    this.#breather = breather;
    const temporary = join(directory, `${this.#fold.topic.name}.${process.pid}${UNFINISHED}`);
    const path = join(directory, this.#nameOf(this.#sequence + 1));
    let written: object | undefined;
    try {
      await mkdir(directory, { recursive: true });
      await rm(temporary, { force: true });
      const shapes = new Shapes(this.#shapes.all);
      const writer = await SnapshotFileWriter.create(temporary, {
        breather,
        shapes,
        bytesMax: limits.maxBytes,
      });
      const bytes = await this.#writeFile(writer, frozen, code);
      if (resets !== this.#resets) throw new Error('what it was made of was dropped meanwhile');
      await rename(temporary, path);
      await syncFolder(directory);
      this.#sequence++;
      this.#accepted = frozen.meta.counts.accepted ?? 0;
      written = { path, bytes, events: this.#accepted };
      await this.#prune();
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      this.#failed(error);
    }
    const wroteMs = breather.workedMs;
    const thawing = new Breather(); // is not given up, whatever became of the file
    await frozen.thaw(thawing);
    await thawing.pause(); // so that its last slice counts among the longest
    const workedMs = wroteMs + thawing.workedMs;
    this.#notBeforeMs = now() + Math.max(limits.minPauseMs, workedMs / limits.maxShare);
    if (written === undefined) return;
    const longestSliceMs = Math.max(breather.longestSliceMs, thawing.longestSliceMs);
    const about = { ...this.#about, ...written, tookMs: now() - startedAtMs, workedMs, longestSliceMs };
    logger.info(about, 'snapshot written');
  }

  async #writeFile(writer: SnapshotFileWriter, frozen: FrozenFold, code: string): Promise<number> {
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
    for (let name = this.#candidates.pop(); name !== undefined; name = this.#candidates.pop()) {
      const path = join(this.#options.directory, name);
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

  #nameOf(sequence: number): string {
    return `${this.#fold.topic.name}.${String(sequence).padStart(10, '0')}${SUFFIX}`;
  }

  /** Oldest first. */
  async #list(): Promise<string[]> {
    const names = await readdir(this.#options.directory).catch(() => []);
    return names.filter((name) => name === this.#nameOf(sequenceOf(name))).sort();
  }

  /** What a crash left half written. The folder belongs to one process. */
  async #removeLeftovers(): Promise<void> {
    const { directory } = this.#options;
    const names = await readdir(directory).catch(() => []);
    const mine = names.filter(
      (name) => name.startsWith(`${this.#fold.topic.name}.`) && name.endsWith(UNFINISHED),
    );
    for (const name of mine) {
      const path = join(directory, name);
      await rm(path, { force: true }).catch((error: unknown) => {
        this.#options.logger.warn({ ...this.#about, path, err: error }, 'a leftover stays');
      });
    }
  }

  async #prune(): Promise<void> {
    const names = await this.#list();
    for (const name of names.slice(0, -KEPT)) await rm(join(this.#options.directory, name), { force: true });
  }
}

const sequenceOf = (name: string): number => Number(name.slice(0, -SUFFIX.length).split('.').at(-1));

/** So that the new name outlives a power failure. */
async function syncFolder(directory: string): Promise<void> {
  const handle = await open(directory);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
