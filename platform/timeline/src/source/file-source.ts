import { scanLogFile, verifyLogFile } from '@parley/event-log';
import type { RawRecord } from '@parley/event-log/tools';
import type { LogSource } from './log-source.ts';

/** A log file. It is read once to its end before anything of it is used. @throws LogFileError when it is not whole. */
export async function openFileSource(path: string, signal?: AbortSignal): Promise<LogSource> {
  const { header, counts } = await verifyLogFile(path, signal);
  const endOffsets = (topic: string): readonly number[] => counts[topic] ?? [];
  return {
    name: path,
    schemas: {
      register: () => Promise.reject(new Error('a log file is read-only')),
      fetch: (id) => Promise.resolve(header.schemas[String(id)]),
    },
    versionOf: () => Promise.resolve(undefined),
    topics: () =>
      Promise.resolve(
        new Map(Object.entries(header.topics).map(([name, { partitions }]) => [name, partitions])),
      ),
    endOffsets: (topic) => Promise.resolve(endOffsets(topic)),
    offsetsAfter: async (topic, timeMs) => {
      const found = [...endOffsets(topic)];
      const open = new Set(found.keys());
      await scanLogFile(path, {
        onRecords: (records) => {
          for (const { topic: of, partition, record } of records) {
            if (of !== topic || !open.has(partition) || Number(record.timestamp) <= timeMs) continue;
            found[partition] = Number(record.offset);
            open.delete(partition);
          }
        },
      });
      return found;
    },
    read: async ({ topic, from, to }, onRecords, aborted) => {
      await scanLogFile(path, {
        ...(aborted === undefined ? {} : { signal: aborted }),
        onRecords: async (records) => {
          const batches = new Map<number, RawRecord[]>();
          for (const { topic: of, partition, record } of records) {
            const offset = Number(record.offset);
            if (of !== topic || offset < (from[partition] ?? 0) || offset >= (to[partition] ?? 0)) continue;
            const batch = batches.get(partition);
            if (batch === undefined) batches.set(partition, [record]);
            else batch.push(record);
          }
          for (const [partition, batch] of batches) await onRecords(partition, batch);
        },
      });
    },
    close: () => Promise.resolve(),
  };
}
