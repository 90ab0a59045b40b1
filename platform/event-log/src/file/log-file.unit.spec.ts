import { Buffer } from 'node:buffer';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawRecord } from '../log/transport.ts';
import { LogFileError } from './errors.ts';
import type { LogFileHeader, LogFileRecord } from './format.ts';
import { scanLogFile, verifyLogFile } from './reader.ts';
import { LogFileWriter } from './writer.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-log-file-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const header = (partitions = 2): LogFileHeader => ({
  createdAt: '2026-01-01T00:00:00.000Z',
  note: 'a test',
  topics: { 'a.events': { partitions }, 'b.events': { partitions: 1 } },
  schemas: { 7: { type: 'record', name: 'A', fields: [] } },
});
const record = (offset: number, fields: Partial<RawRecord> = {}): RawRecord => ({
  offset: String(offset),
  timestamp: '1767225600000',
  key: Buffer.from('s-1'),
  value: Buffer.from([0, 0, 0, 0, 7]),
  headers: { ce_type: Buffer.from('A') },
  ...fields,
});
const small = async (path: string): Promise<Buffer> => {
  const writer = await LogFileWriter.create(path, header());
  await writer.write('a.events', 0, [record(0), record(1)]);
  await writer.write('b.events', 0, [record(0, { value: null })]);
  await writer.finish();
  return readFile(path);
};
const readAll = async (path: string): Promise<LogFileRecord[]> => {
  const all: LogFileRecord[] = [];
  await scanLogFile(path, { onRecords: (records) => void all.push(...records) });
  return all;
};
const faultOf = async (path: string): Promise<LogFileError> => {
  const error = await verifyLogFile(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof LogFileError)) throw new Error(`not refused: ${String(error)}`);
  return error;
};

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const maybe = fc.option(bytes, { nil: null });
const arbitraryRecord = fc.record({
  partition: fc.nat({ max: 2 }),
  timestamp: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  key: maybe,
  value: maybe,
  headers: fc.dictionary(fc.string(), fc.oneof(bytes, fc.array(bytes, { minLength: 2, maxLength: 3 })), {
    maxKeys: 4,
  }),
});

describe('a log file', () => {
  it('gives back every record bit for bit: keys, values, null, headers that repeat, any timestamp', async () => {
    const path = join(folder, 'round-trip.log');
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryRecord, { maxLength: 30 }), async (parts) => {
        const nexts = [0, 0, 0];
        const writer = await LogFileWriter.create(path, header(3));
        const written: LogFileRecord[] = [];
        for (const { partition, ...fields } of parts) {
          const offset = nexts[partition] ?? 0;
          nexts[partition] = offset + 1;
          const at = { topic: 'a.events', partition, record: { ...fields, offset: String(offset) } };
          written.push(at);
          await writer.write(at.topic, partition, [at.record]);
        }
        const summary = await writer.finish();
        expect(await readAll(path)).toEqual(written);
        expect(await verifyLogFile(path)).toEqual(summary);
        expect(summary).toMatchObject({
          records: parts.length,
          counts: { 'a.events': nexts, 'b.events': [0] },
        });
      }),
      { numRuns: 150 },
    );
  });

  it('keeps a header that is null, as kafkajs hands it out', async () => {
    const path = join(folder, 'null-header.log');
    const writer = await LogFileWriter.create(path, header());
    const odd = { headers: { gone: null } as unknown as NonNullable<RawRecord['headers']> };
    await writer.write('a.events', 0, [record(0, odd)]);
    await writer.finish();
    expect((await readAll(path))[0]?.record.headers).toEqual({ gone: null });
  });

  it('refuses a beginning of itself, of any length, as truncated', async () => {
    const path = join(folder, 'truncated.log');
    const whole = await small(path);
    for (let length = 0; length < whole.length; length += length > whole.length - 20 ? 1 : 5) {
      await writeFile(path, whole.subarray(0, length));
      expect((await faultOf(path)).code).toBe('truncated');
    }
  });

  it('refuses itself with any one byte changed', async () => {
    const path = join(folder, 'flipped.log');
    const whole = await small(path);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, mask) => {
          const changed = Buffer.from(whole);
          changed[at] = (changed[at] ?? 0) ^ mask;
          await writeFile(path, changed);
          expect(['damaged', 'foreign', 'newer', 'truncated']).toContain((await faultOf(path)).code);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('refuses a line that is missing, doubled or out of place, and names it', async () => {
    const path = join(folder, 'lines.log');
    const lines = (await small(path)).toString('utf8').split('\n').slice(0, -1);
    const [first = '', a0 = '', a1 = '', b0 = '', trailer = ''] = lines;
    const cases: readonly (readonly [readonly string[], number])[] = [
      [[first, a1, b0, trailer], 2],
      [[first, a0, a0, a1, b0, trailer], 3],
      [[first, a1, a0, b0, trailer], 2],
      [[first, b0, a0, a1, trailer], 5], // a legal order, but not the one that was written
      [[first, a0, a1, trailer], 4],
      [[first, a0, a1, b0, trailer, trailer], 6],
    ];
    for (const [kept, line] of cases) {
      await writeFile(path, `${kept.join('\n')}\n`);
      expect(await faultOf(path)).toMatchObject({ code: 'damaged', line, path });
    }
  });

  it('refuses what is behind the trailer, also when it is no whole line', async () => {
    const path = join(folder, 'behind.log');
    await small(path);
    await appendFile(path, 'x');
    expect(await faultOf(path)).toMatchObject({ code: 'damaged', line: 6 });
  });

  it('refuses a file that is something else, whatever its size, and one of a later version', async () => {
    const path = join(folder, 'foreign.log');
    for (const text of [
      '{"some":"json"}\n',
      'hello',
      '[1]\n',
      '\u0000\u0001\n',
      'x'.repeat(40 * 1024 * 1024),
    ]) {
      await writeFile(path, text);
      expect(await faultOf(path)).toMatchObject({ code: 'foreign', line: 1 });
    }
    await writeFile(path, '{"format":"parley-log","version":2,"what":"ever"}\n');
    expect(await faultOf(path)).toMatchObject({ code: 'newer', line: 1 });
  });

  it('is not there until it is finished, and leaves nothing when it is abandoned', async () => {
    const own = await mkdtemp(join(folder, 'own-'));
    const path = join(own, 'later.log');
    const writer = await LogFileWriter.create(path, header());
    await writer.write('a.events', 0, [record(0)]);
    expect(await readdir(own)).toEqual(['later.log.partial']);
    await writer.abandon();
    expect(await readdir(own)).toEqual([]);
    await small(path);
    expect(await readdir(own)).toEqual(['later.log']);
  });

  it('is never written with a gap, a strange topic or a strange partition', async () => {
    const writer = await LogFileWriter.create(join(folder, 'gap.log'), header());
    await expect(writer.write('a.events', 0, [record(1)])).rejects.toBeInstanceOf(RangeError);
    await expect(writer.write('a.events', 2, [record(0)])).rejects.toBeInstanceOf(RangeError);
    await expect(writer.write('c.events', 0, [record(0)])).rejects.toBeInstanceOf(RangeError);
    await writer.abandon();
  });

  it('is read with the memory of one piece, not of the file', async () => {
    const path = join(folder, 'large.log');
    const writer = await LogFileWriter.create(path, header());
    const value = Buffer.alloc(4000, 1);
    const total = 12_000; // 64 MB of text
    for (let from = 0; from < total; from += 500)
      await writer.write(
        'a.events',
        0,
        Array.from({ length: 500 }, (_, index) => record(from + index, { value })),
      );
    await writer.finish();
    let largestBatch = 0;
    let seen = 0;
    await scanLogFile(path, {
      onRecords: (records) => {
        largestBatch = Math.max(largestBatch, records.length);
        seen += records.length;
      },
    });
    expect(seen).toBe(total);
    expect(largestBatch).toBeLessThan(100);
  });
});
