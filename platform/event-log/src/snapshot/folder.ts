import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

const SUFFIX = '.snapshot';
const UNFINISHED = '.writing';

/** The last one, and the one before for the case that the last one is damaged. */
const KEPT = 2;

/** The number of a snapshot: a later one has a higher one. */
export const sequenceOf = (path: string): number => Number(path.slice(0, -SUFFIX.length).split('.').at(-1));

type OnFailure = (path: string, error: unknown) => void;

/** The files of one topic in the folder for snapshots, which belongs to one process. */
export class SnapshotFolder {
  readonly #directory: string;
  readonly #topic: string;

  constructor(directory: string, topic: string) {
    this.#directory = directory;
    this.#topic = topic;
  }

  pathOf(sequence: number): string {
    return join(this.#directory, this.#nameOf(sequence));
  }

  /** Paths, oldest first. Never rejects: a folder that cannot be read has none. */
  async list(): Promise<string[]> {
    const names = await this.#names();
    const mine = names.filter((name) => name === this.#nameOf(sequenceOf(name)));
    return mine.sort().map((name) => join(this.#directory, name));
  }

  /** A path where nothing lies, for a file that is no snapshot before it is published. */
  async unfinished(): Promise<string> {
    const path = join(this.#directory, `${this.#topic}.${process.pid}${UNFINISHED}`);
    await mkdir(this.#directory, { recursive: true });
    await rm(path, { force: true });
    return path;
  }

  /** Gives a finished file its name, so that it outlives a power failure. Answers its path. */
  async publish(unfinished: string, sequence: number): Promise<string> {
    const path = this.pathOf(sequence);
    await rename(unfinished, path);
    const handle = await open(this.#directory);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    return path;
  }

  /** Removes all but the last ones. */
  async prune(): Promise<void> {
    for (const path of (await this.list()).slice(0, -KEPT)) await rm(path, { force: true });
  }

  /** Removes every snapshot. Never rejects. */
  async empty(onFailure: OnFailure): Promise<void> {
    await remove(await this.list(), onFailure);
  }

  /** Removes what a crash left half written. Never rejects. */
  async removeLeftovers(onFailure: OnFailure): Promise<void> {
    const names = await this.#names();
    const mine = names.filter((name) => name.startsWith(`${this.#topic}.`) && name.endsWith(UNFINISHED));
    await remove(
      mine.map((name) => join(this.#directory, name)),
      onFailure,
    );
  }

  #names(): Promise<string[]> {
    return readdir(this.#directory).catch(() => []);
  }

  #nameOf(sequence: number): string {
    return `${this.#topic}.${String(sequence).padStart(10, '0')}${SUFFIX}`;
  }
}

async function remove(paths: readonly string[], onFailure: OnFailure): Promise<void> {
  for (const path of paths)
    await rm(path, { force: true }).catch((error: unknown) => {
      onFailure(path, error);
    });
}
