import { createHash } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import type { RawRecord } from '../log/transport.ts';
import { headerLine, recordLine, trailerLine, type LogFileHeader, type LogFileSummary } from './format.ts';

/** Lines are gathered until so much text waits. */
const CHUNK_CHARS = 256 * 1024;

/** Writes one log file. Calls must be awaited one after another; memory stays within one chunk and one line. */
export class LogFileWriter {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #header: LogFileHeader;
  readonly #hash = createHash('sha256');
  readonly #counts: Map<string, number[]>;
  #waiting: string;
  #records = 0;

  private constructor(path: string, handle: FileHandle, header: LogFileHeader) {
    this.#path = path;
    this.#handle = handle;
    this.#header = header;
    this.#counts = new Map(
      Object.entries(header.topics).map(([name, { partitions }]) => [
        name,
        Array.from({ length: partitions }, () => 0),
      ]),
    );
    this.#waiting = headerLine(header);
  }

  /** The file appears under its name only when `finish` has resolved; until then it is `<path>.partial`. */
  static async create(path: string, header: LogFileHeader): Promise<LogFileWriter> {
    return new LogFileWriter(path, await open(`${path}.partial`, 'w'), header);
  }

  /**
   * Appends records of one partition.
   *
   * @throws RangeError when the topic or partition is not in the header, or an offset is not the next one.
   */
  async write(topic: string, partition: number, records: readonly RawRecord[]): Promise<void> {
    const counts = this.#counts.get(topic);
    const count = counts?.[partition];
    if (counts === undefined || count === undefined)
      throw new RangeError(`${topic}/${String(partition)} is not in the header of the file`);
    let next = count;
    for (const record of records) {
      if (Number(record.offset) !== next)
        throw new RangeError(
          `${topic}/${String(partition)}: offset ${record.offset} where ${String(next)} is due`,
        );
      counts[partition] = ++next;
      this.#records++;
      this.#waiting += recordLine(topic, partition, record);
      if (this.#waiting.length >= CHUNK_CHARS) await this.#flush();
    }
  }

  /** Writes the trailer, makes the file durable and gives it its name. */
  async finish(): Promise<LogFileSummary> {
    await this.#flush();
    const counts = Object.fromEntries(this.#counts);
    const sha256 = this.#hash.digest('hex');
    await this.#handle.appendFile(trailerLine(counts, sha256));
    await this.#handle.sync();
    await this.#handle.close();
    await rename(`${this.#path}.partial`, this.#path);
    return { header: this.#header, counts, records: this.#records, sha256 };
  }

  /** Gives up: what was written so far is removed. */
  async abandon(): Promise<void> {
    await this.#handle.close();
    await rm(`${this.#path}.partial`, { force: true });
  }

  async #flush(): Promise<void> {
    const text = this.#waiting;
    this.#waiting = '';
    this.#hash.update(text);
    await this.#handle.appendFile(text);
  }
}
