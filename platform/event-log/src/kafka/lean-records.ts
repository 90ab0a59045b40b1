/**
 * Encoding and decoding of one record (Kafka's message format v2), byte for byte what kafkajs 2.2.4 does, at a
 * fraction of its cost: kafkajs makes an encoder of 512 zeroed bytes for every header and copies the headers read so
 * far for every header it reads. With the ten headers of an event that is most of the work of an append and of a replay.
 */
import { Buffer } from 'node:buffer';
import { HeaderList } from '../log/header-list.ts';

type Bytes = Buffer | string | null | undefined;
type Headers = Record<string, Buffer | Buffer[] | null>;

/** What kafkajs hands over for one record of a batch. */
interface RecordParts {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly key?: Bytes;
  readonly value?: Bytes;
  readonly headers?: Readonly<Record<string, Bytes | Bytes[]>> | HeaderList;
}

/** What kafkajs knows of the batch that a record lies in. Numbers of 64 bits are text; all are below 2^53. */
interface BatchContext {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly maxTimestamp: string;
  readonly magicByte: number;
  readonly timestampType: number;
  readonly partitionLeaderEpoch: number;
}

const LOG_APPEND_TIME = 1;
/** Numbers within it are written by 32-bit arithmetic. */
const ZIGZAG_32_MAX = 0x3fffffff;

const zigzag = (value: number): number =>
  Math.abs(value) <= ZIGZAG_32_MAX
    ? ((value << 1) ^ (value >> 31)) >>> 0
    : value < 0
      ? -2 * value - 1
      : 2 * value;

function varIntSize(value: number): number {
  let size = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/**
 * ASCII text below this length has one byte for its length; it and bytes below it are written in a loop, as a call into the
 * runtime takes longer.
 */
const SHORT = 64;
/** Most bytes of a number, and of the length in front of a record. */
const VAR_INT_BYTES = 10;
const SIZE_BYTES = 5;
/** Most bytes of a character of a text, in UTF-8. */
const CHARACTER_BYTES = 3;

const SCRATCH_BYTES = 16_384;
/** Where a record is written before its size is known, unless it may be larger. Encoding is synchronous: one is enough. */
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/** Each of these writes at a place, and answers where it ended. */
function putVarInt(bytes: Buffer, start: number, value: number): number {
  let at = start;
  let rest = zigzag(value);
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
  bytes[at++] = rest;
  return at;
}

function putText(bytes: Buffer, start: number, text: string): number {
  const { length } = text;
  let index = 0;
  if (length < SHORT)
    for (; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) break;
      bytes[start + 1 + index] = code;
    }
  if (index === length) {
    bytes[start] = length * 2;
    return start + 1 + length;
  }
  const at = putVarInt(bytes, start, Buffer.byteLength(text));
  return at + bytes.write(text, at);
}

function put(bytes: Buffer, start: number, what: Bytes): number {
  if (what === null || what === undefined) return putVarInt(bytes, start, -1);
  if (typeof what === 'string') return putText(bytes, start, what);
  const { length } = what;
  const at = putVarInt(bytes, start, length);
  if (length < SHORT) for (let index = 0; index < length; index++) bytes[at + index] = what[index] ?? 0;
  else what.copy(bytes, at);
  return at + length;
}

const sizeMax = (what: Bytes): number =>
  VAR_INT_BYTES + (typeof what === 'string' ? what.length * CHARACTER_BYTES : (what?.length ?? 0));

/** One record with its length in front, in the shape of a kafkajs encoder. */
export function encodeRecord(parts: RecordParts): { readonly buf: Buffer; readonly buffer: Buffer } {
  const { offsetDelta = 0, timestampDelta = 0, key, value, headers = {} } = parts;
  const held: Bytes[] = []; // names and values in turn
  let max = SIZE_BYTES + 4 * VAR_INT_BYTES + sizeMax(key) + sizeMax(value);
  const hold = (name: Bytes, one: Bytes): void => {
    held.push(name, one);
    max += sizeMax(name) + sizeMax(one);
  };
  if (headers instanceof HeaderList) for (const [name, one] of headers.entries) hold(name, one);
  else
    for (const name of Object.keys(headers)) {
      const one = headers[name];
      for (const each of Array.isArray(one) ? one : [one]) hold(name, each);
    }
  const bytes = max <= scratch.length ? scratch : Buffer.allocUnsafe(max);
  let at = SIZE_BYTES;
  bytes[at++] = 0; // attributes: none are defined
  at = putVarInt(bytes, at, timestampDelta);
  at = putVarInt(bytes, at, offsetDelta);
  at = put(bytes, at, key);
  at = put(bytes, at, value);
  at = putVarInt(bytes, at, held.length / 2);
  for (const each of held) at = put(bytes, at, each);
  const size = at - SIZE_BYTES;
  const start = SIZE_BYTES - varIntSize(size);
  putVarInt(bytes, start, size);
  const buffer = Buffer.allocUnsafe(at - start);
  bytes.copy(buffer, 0, start, at);
  return { buf: buffer, buffer };
}

/** Reads one record front to back. */
class RecordReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  /** @throws RangeError past the end: what is cut or damaged is not read as zeros. */
  byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new RangeError('a record ends too early');
    return byte;
  }

  varInt(): number {
    let value = 0;
    let unit = 1;
    for (let byte = this.byte(); ; byte = this.byte()) {
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) break;
      unit *= 0x80;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  sized(): Buffer | null {
    const length = this.varInt();
    return length < 0 ? null : this.bytes.subarray(this.at, this.#past(length));
  }

  text(): string {
    const length = this.varInt();
    return this.bytes.toString('utf8', this.at, this.#past(length));
  }

  /** Moves behind what is so long. */
  #past(length: number): number {
    this.at += length;
    if (this.at > this.bytes.length) throw new RangeError('a record ends too early');
    return this.at;
  }

  /** Whether what follows is this ASCII text; moves behind it, whatever it is. */
  isText(text: string): boolean {
    const length = this.varInt();
    const start = this.at;
    this.at += length;
    if (length !== text.length) return false;
    for (let index = 0; index < length; index++)
      if (this.bytes[start + index] !== text.charCodeAt(index)) return false;
    return true;
  }

  skip(): void {
    const length = this.varInt();
    if (length > 0) this.at += length;
  }
}

function readHeaders(reader: RecordReader): Headers {
  const headers: Headers = {};
  for (let left = reader.varInt(); left > 0; left--) {
    const name = reader.text();
    const value = reader.sized();
    if (name === '__proto__') continue; // no header of ours, and it would replace the prototype
    const held = Object.hasOwn(headers, name) ? headers[name] : undefined; // `constructor` is a name like any other
    if (held === undefined) headers[name] = value;
    else headers[name] = [...(Array.isArray(held) ? held : [held]), value].filter((one) => one !== null);
  }
  return headers;
}

/**
 * One record as kafkajs gives it to a consumer, but for what few consumers look at: headers and time are read when they
 * are asked for. The bytes belong to the response that they came in, so keeping a record keeps all of it.
 */
export class LeanRecord {
  readonly magicByte: number;
  readonly attributes: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /**
   * Never told: kafkajs would leave out the mark at the end of a transaction. It has an offset, so it is a record that
   * no reader can read, like anything else that a stranger writes.
   */
  readonly isControlRecord = false;
  readonly batchContext: BatchContext;
  readonly #timestampDelta: number;
  readonly #bytes: Buffer;
  readonly #headersAt: number;
  #headers: Headers | undefined;

  constructor(bytes: Buffer, batchContext: BatchContext) {
    const reader = new RecordReader(bytes);
    this.magicByte = batchContext.magicByte;
    this.attributes = reader.byte();
    this.#timestampDelta = reader.varInt();
    this.offset = String(Number(batchContext.firstOffset) + reader.varInt());
    this.key = reader.sized();
    this.value = reader.sized();
    this.batchContext = batchContext;
    this.#bytes = bytes;
    this.#headersAt = reader.at;
  }

  /** Number of the leader that wrote the batch. */
  get leaderEpoch(): number {
    return this.batchContext.partitionLeaderEpoch;
  }

  get timestamp(): string {
    const { timestampType, maxTimestamp, firstTimestamp } = this.batchContext;
    return timestampType === LOG_APPEND_TIME
      ? maxTimestamp
      : String(Number(firstTimestamp) + this.#timestampDelta);
  }

  get headers(): Headers {
    this.#headers ??= readHeaders(new RecordReader(this.#bytes, this.#headersAt));
    return this.#headers;
  }

  /** All headers in their order, with names and values as they lie there. */
  get headerList(): HeaderList {
    const reader = new RecordReader(this.#bytes, this.#headersAt);
    const entries = Array.from({ length: reader.varInt() }, () => {
      const name = reader.sized() ?? Buffer.alloc(0);
      return [name, reader.sized()] as const;
    });
    return new HeaderList(entries);
  }

  /**
   * The bytes of the header with this ASCII name, without reading the others; undefined when it is absent, null or
   * there more than once.
   */
  header(name: string): Buffer | undefined {
    const reader = new RecordReader(this.#bytes, this.#headersAt);
    let found: Buffer | null | undefined;
    for (let left = reader.varInt(); left > 0; left--) {
      if (!reader.isText(name)) {
        reader.skip();
        continue;
      }
      if (found !== undefined) return undefined;
      found = reader.sized();
    }
    return found ?? undefined;
  }
}

/** One record, without its length. */
export const decodeRecord = (decoder: { readonly buffer: Buffer }, batchContext: BatchContext): LeanRecord =>
  new LeanRecord(decoder.buffer, batchContext);
