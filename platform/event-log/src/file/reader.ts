import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { LogFileError, type LogFileFault } from './errors.ts';
import {
  BadLine,
  LOG_FILE_MAX_LINE_BYTES,
  LOG_FILE_VERSION,
  parseFirstLine,
  parseLine,
  type LogFileHeader,
  type LogFileRecord,
  type LogFileSummary,
} from './format.ts';

const READ_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

export interface ScanOptions {
  /** Told before any record. */
  readonly onHeader?: (header: LogFileHeader) => void;
  /** The records of one piece of the file, in file order. The next piece is read when this has resolved. */
  readonly onRecords?: (records: readonly LogFileRecord[]) => Promise<void> | void;
  readonly signal?: AbortSignal;
}

/** Everything that must hold between the lines of one file. */
class FileCheck {
  readonly path: string;
  readonly #hash = createHash('sha256');
  readonly #counts = new Map<string, number[]>();
  line = 0;
  header: LogFileHeader | undefined;
  summary: LogFileSummary | undefined;
  #records = 0;

  constructor(path: string) {
    this.path = path;
  }

  fail(code: LogFileFault, reason: string): never {
    throw new LogFileError(code, this, reason);
  }

  /** The record on the next line, if it is one. `bytes` include the newline. */
  take(bytes: Buffer): LogFileRecord | undefined {
    this.line++;
    const text = bytes.toString('utf8', 0, bytes.length - 1);
    try {
      if (this.header === undefined) this.#first(text);
      else if (this.summary !== undefined) this.fail('damaged', 'there is more behind the trailer');
      else {
        const parsed = parseLine(text);
        if (parsed.kind === 'record') {
          this.#hash.update(bytes);
          this.#count(parsed.at);
          return parsed.at;
        }
        this.#trailer(parsed.counts, parsed.sha256, this.header);
        return undefined;
      }
    } catch (error) {
      if (error instanceof BadLine) this.fail('damaged', error.message);
      throw error;
    }
    this.#hash.update(bytes);
    return undefined;
  }

  #first(text: string): void {
    const first = parseFirstLine(text);
    switch (first.kind) {
      case 'foreign':
        return this.fail('foreign', 'the first line is no header of a parley-log file');
      case 'newer':
        return this.fail(
          'newer',
          `format version ${String(first.version)}, and this release reads up to ${String(LOG_FILE_VERSION)}`,
        );
      case 'header':
        this.header = first.header;
        for (const [name, { partitions }] of Object.entries(first.header.topics))
          this.#counts.set(
            name,
            Array.from({ length: partitions }, () => 0),
          );
    }
  }

  #count({ topic, partition, record }: LogFileRecord): void {
    const counts = this.#counts.get(topic);
    const next = counts?.[partition];
    if (counts === undefined || next === undefined)
      this.fail('damaged', `${JSON.stringify(topic)}/${String(partition)} is not in the header`);
    if (Number(record.offset) !== next)
      this.fail(
        'damaged',
        `${topic}/${String(partition)}: offset ${record.offset} where ${String(next)} is due`,
      );
    counts[partition] = next + 1;
    this.#records++;
  }

  #trailer(counts: Readonly<Record<string, unknown>>, sha256: string, header: LogFileHeader): void {
    const read = Object.fromEntries(this.#counts);
    if (JSON.stringify(counts) !== JSON.stringify(read))
      this.fail(
        'damaged',
        `the trailer counts ${JSON.stringify(counts)}, the file holds ${JSON.stringify(read)}`,
      );
    if (sha256 !== this.#hash.digest('hex')) this.fail('damaged', 'the checksum is wrong');
    this.summary = { header, counts: read, records: this.#records, sha256 };
  }
}

/**
 * Reads a log file from begin to end, with one piece of it in memory. What `onRecords` is given was checked line by
 * line; that the whole is what was written is only certain once this has resolved: read twice (`verifyLogFile`
 * first) where a record must not be acted on before.
 *
 * @throws LogFileError when it is not a whole, undamaged log file of a known version.
 */
export async function scanLogFile(path: string, options: ScanOptions = {}): Promise<LogFileSummary> {
  const check = new FileCheck(path);
  let rest: Buffer[] = [];
  let restBytes = 0;
  let announced = false;
  const stream = createReadStream(path, { highWaterMark: READ_BYTES });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    options.signal?.throwIfAborted();
    const records: LogFileRecord[] = [];
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      const piece = chunk.subarray(from, end + 1);
      const record = check.take(restBytes === 0 ? piece : Buffer.concat([...rest, piece]));
      rest = [];
      restBytes = 0;
      from = end + 1;
      if (record !== undefined) records.push(record);
    }
    if (from < chunk.length) {
      rest.push(chunk.subarray(from));
      restBytes += chunk.length - from;
    }
    if (restBytes > LOG_FILE_MAX_LINE_BYTES) {
      check.line++;
      check.fail(
        check.header === undefined ? 'foreign' : 'damaged',
        `a line longer than ${String(LOG_FILE_MAX_LINE_BYTES)} bytes`,
      );
    }
    if (!announced && check.header !== undefined) {
      announced = true;
      options.onHeader?.(check.header);
    }
    if (records.length > 0) await options.onRecords?.(records);
  }
  if (restBytes === 0 && check.summary !== undefined) return check.summary;
  if (check.summary !== undefined) {
    check.line++;
    check.fail('damaged', 'there is more behind the trailer');
  }
  const begin = Buffer.concat(rest).toString('utf8', 0, 16);
  check.line++;
  if (check.header === undefined && restBytes > 0 && !looksLikeAHeader(begin))
    check.fail('foreign', 'the first line is no header of a parley-log file');
  return check.fail(
    'truncated',
    restBytes === 0 ? 'the file ends without a trailer' : 'the file ends within this line',
  );
}

const HEADER_BEGINS = '{"format":"parley-log"';
const looksLikeAHeader = (begin: string): boolean => HEADER_BEGINS.startsWith(begin);

/** Reads the whole file and answers what it holds. @throws LogFileError as `scanLogFile`. */
export const verifyLogFile = (path: string, signal?: AbortSignal): Promise<LogFileSummary> =>
  scanLogFile(path, signal === undefined ? {} : { signal });
