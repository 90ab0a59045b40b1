import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Read from one file at a time. */
const CHUNK_BYTES = 256 * 1024;
/** How far behind a file's end a reader may be; what is older is passed over. */
const BEHIND_BYTES_MAX = 16 * 1024 * 1024;

/** Whole lines of one file. */
export interface Lines {
  readonly file: string;
  readonly lines: readonly string[];
}

interface Place {
  offset: number;
  /** A line longer than a chunk is being passed over. */
  overlong: boolean;
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0, // removed meanwhile
  );

const countLines = (bytes: Buffer): number => {
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines += 1;
  return lines;
};

/**
 * Follows every log file of a folder, files that come later included. The files are the buffer: a reader that does not
 * `commit` reads the same again, and holds no line in memory meanwhile. Not for concurrent use.
 */
export class LogFolder {
  readonly #folder: string;
  readonly #behindBytesMax: number;
  readonly #places = new Map<string, Place>();
  #dropped = 0;
  #read: {
    readonly place: Place;
    readonly bytes: number;
    readonly overlong: boolean;
    readonly dropped: number;
  }[] = [];

  private constructor(folder: string, behindBytesMax: number) {
    this.#folder = folder;
    this.#behindBytesMax = behindBytesMax;
  }

  /** Follows a folder from the present end of its files. */
  static async open(folder: string, behindBytesMax = BEHIND_BYTES_MAX): Promise<LogFolder> {
    const followed = new LogFolder(folder, behindBytesMax);
    for (const file of await followed.#files())
      followed.#places.set(file, { offset: await sizeOf(join(folder, file)), overlong: false });
    return followed;
  }

  /** Lines that were passed over, as their reader was too far behind or they were longer than a chunk. */
  get dropped(): number {
    return this.#dropped;
  }

  /** What was written since the last commit, at most a chunk a file; empty when nothing was. */
  async read(): Promise<readonly Lines[]> {
    this.#read = [];
    const all: Lines[] = [];
    for (const file of await this.#files()) {
      const lines = await this.#next(file);
      if (lines.length > 0) all.push({ file, lines });
    }
    return all;
  }

  /** The lines of the last `read` are where they belong. */
  commit(): void {
    for (const { place, bytes, overlong, dropped } of this.#read) {
      this.#dropped += dropped;
      place.offset += bytes;
      place.overlong = overlong;
    }
    this.#read = [];
  }

  async #files(): Promise<readonly string[]> {
    const names = await readdir(this.#folder).catch(() => []);
    return names.filter((name) => name.endsWith('.log')).toSorted();
  }

  async #next(file: string): Promise<readonly string[]> {
    const path = join(this.#folder, file);
    const place = this.#places.get(file) ?? { offset: 0, overlong: false };
    this.#places.set(file, place);
    const size = await sizeOf(path);
    if (size < place.offset) Object.assign(place, { offset: 0, overlong: false }); // shortened or made anew
    if (size === place.offset) return [];
    await using handle = await open(path, 'r');
    while (size - place.offset > this.#behindBytesMax) await this.#passOver(handle, place);
    const chunk = await this.#chunk(handle, place);
    const end = chunk.lastIndexOf(10) + 1;
    if (end === 0) {
      // A line that is not whole yet, or one without end.
      const dropped = place.overlong ? 0 : 1;
      if (chunk.length === CHUNK_BYTES)
        this.#read.push({ place, bytes: chunk.length, overlong: true, dropped });
      return [];
    }
    this.#read.push({ place, bytes: end, overlong: false, dropped: 0 });
    const lines = chunk.toString('utf8', 0, end - 1).split('\n');
    return (place.overlong ? lines.slice(1) : lines).filter((line) => line.trim() !== '');
  }

  async #passOver(handle: FileHandle, place: Place): Promise<void> {
    const chunk = await this.#chunk(handle, place);
    const lastEnd = chunk.lastIndexOf(10) + 1;
    const end = lastEnd || chunk.length;
    // A line without an end in this chunk is counted here, and its end, in a later one, is not.
    const begun = lastEnd === 0 ? 1 : countLines(chunk.subarray(0, end));
    this.#dropped += begun - (place.overlong ? 1 : 0);
    place.offset += end;
    place.overlong = lastEnd === 0;
  }

  async #chunk(handle: FileHandle, { offset }: Place): Promise<Buffer> {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(CHUNK_BYTES), position: offset });
    return buffer.subarray(0, bytesRead);
  }
}
