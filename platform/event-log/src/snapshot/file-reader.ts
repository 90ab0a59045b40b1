import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Breather } from './breather.ts';
import { SnapshotUnusable } from './errors.ts';
import {
  CHUNK_BYTES,
  MAGIC,
  SNAPSHOT_FORMAT,
  TAIL_BYTES,
  type Section,
  type SnapshotTrailer,
} from './format.ts';
import { Shapes } from './shapes.ts';
import { Table, type Decode } from './table.ts';

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A snapshot in memory, every byte of it checked. */
export class SnapshotFile<Meta> {
  readonly path: string;
  readonly meta: Meta;
  readonly shapes: Shapes;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly writtenAtMs: number;
  readonly #file: Buffer;
  readonly #sections: Readonly<Record<string, Section>>;

  private constructor(
    { path, writtenAtMs }: { readonly path: string; readonly writtenAtMs: number },
    file: Buffer,
    trailer: SnapshotTrailer<Meta>,
  ) {
    this.path = path;
    this.writtenAtMs = writtenAtMs;
    this.#file = file;
    this.#sections = trailer.sections;
    this.meta = trailer.meta;
    this.shapes = new Shapes(trailer.shapes);
    this.bytes = file.length;
  }

  /**
   * Reads and checks a whole file. `accept` is asked before the sections are read and may throw SnapshotUnusable.
   * @throws SnapshotUnusable
   */
  static async open<Meta>(path: string, accept: (meta: Meta) => void): Promise<SnapshotFile<Meta>> {
    const handle = await open(path).catch((error: unknown) => {
      throw new SnapshotUnusable('unreadable', `it cannot be opened: ${String(error)}`, { cause: error });
    });
    try {
      const { size, mtimeMs: writtenAtMs } = await handle.stat();
      const trailer = await readTrailer<Meta>(handle, size);
      accept(trailer.meta);
      const file = await readWhole(handle, size);
      for (const [name, { at, bytes, sha256 }] of Object.entries(trailer.sections)) {
        if ((await digestInSlices(file.subarray(at, at + bytes))) !== sha256)
          throw new SnapshotUnusable('damaged', `the checksum of ${name} does not fit`);
      }
      return new SnapshotFile({ path, writtenAtMs }, file, trailer);
    } finally {
      await handle.close();
    }
  }

  /** @throws SnapshotUnusable when there is no such section. */
  section(name: string): Buffer {
    const { at, bytes } = this.#section(name);
    return this.#file.subarray(at, at + bytes);
  }

  /** @throws SnapshotUnusable when there is no such table. */
  table<V>(name: string, decode: Decode<V>): Table<V> {
    const { table } = this.#section(name);
    if (table === undefined) throw new SnapshotUnusable('stale', `${name} is no table`);
    return new Table(this.section(name), table, decode);
  }

  #section(name: string): Section {
    const section = this.#sections[name];
    if (section === undefined) throw new SnapshotUnusable('stale', `it has no ${name}`);
    return section;
  }
}

async function readTrailer<Meta>(handle: FileHandle, size: number): Promise<SnapshotTrailer<Meta>> {
  const damaged = (what: string): SnapshotUnusable => new SnapshotUnusable('damaged', what);
  if (size < MAGIC.length + TAIL_BYTES) throw damaged(`it has only ${size} bytes`);
  if (!(await readAt(handle, 0, MAGIC.length)).equals(MAGIC)) throw damaged('it does not begin as it should');
  const tail = await readAt(handle, size - TAIL_BYTES, TAIL_BYTES);
  if (!tail.subarray(36).equals(MAGIC)) throw damaged('it was cut: it does not end as it should');
  const length = tail.readUInt32LE(0);
  if (length > size - TAIL_BYTES - MAGIC.length) throw damaged('its trailer is longer than the file');
  const bytes = await readAt(handle, size - TAIL_BYTES - length, length);
  if (digest(bytes) !== tail.toString('hex', 4, 36))
    throw damaged('the checksum of its trailer does not fit');
  const trailer = JSON.parse(bytes.toString('utf8')) as SnapshotTrailer<Meta>; // checked: it is what we wrote
  if (trailer.format !== SNAPSHOT_FORMAT)
    throw new SnapshotUnusable('stale', `its format is ${trailer.format}, not ${SNAPSHOT_FORMAT}`);
  return trailer;
}

async function readAt(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafeSlow(length), 0, length, at);
  if (bytesRead !== length)
    throw new SnapshotUnusable('unreadable', `only ${bytesRead} of ${length} bytes came`);
  return buffer;
}

async function readWhole(handle: FileHandle, size: number): Promise<Buffer> {
  const file = Buffer.allocUnsafeSlow(size); // a memory of its own, so sections lie aligned in it
  for (let at = 0; at < size;) {
    const { bytesRead } = await handle.read(file, at, Math.min(CHUNK_BYTES * 8, size - at), at);
    if (bytesRead === 0) throw new SnapshotUnusable('unreadable', `only ${at} of ${size} bytes came`);
    at += bytesRead;
  }
  return file;
}

async function digestInSlices(bytes: Buffer): Promise<string> {
  const breather = new Breather();
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    hash.update(bytes.subarray(at, at + CHUNK_BYTES));
    if (breather.due) await breather.pause();
  }
  return hash.digest('hex');
}
