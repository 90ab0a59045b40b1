/**
 * What is patched in kafkajs 2.2.4, which is pinned exactly, before its first use in a process:
 *
 * - It arms a timer with a negative time-out whenever requests are pending: on current Node that is a warning and a
 *   1 ms loop, 3.5 % of a core in an idle client. Waiting until the throttle ends, or 10 ms, cures both.
 * - Its encoding and decoding of one record is replaced by lean-records.ts, its checksum of a batch by crc32c.ts.
 * - It rejects a produce request with the error of the first partition that failed, throws away what the broker says of
 *   the others, and looks for new leaders before it does. A request of several is answered with all that the broker says.
 * - It asks for the end of what is committed, where no option says otherwise, and the log has no transactions: one that
 *   a stranger has open would make the log look shorter than what was folded.
 * - A consumer that fails to join its group again goes on with the membership that it had, which it has already told the
 *   loss of: the broker may still hold it for a member, and then no event ever says so; or it may not, and then the
 *   consumer sends no heartbeat. It ends, and is made anew like any other (supervised-consumer.ts).
 */
import { createRequire } from 'node:module';
import { crc32c } from './crc32c.ts';
import { registerCodecs } from './codecs/index.ts';
import { decodeRecord, encodeRecord } from './lean-records.ts';
import { orUnreadable, type DecodeBatch } from './unreadable-batch.ts';

interface RequestQueue {
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  scheduleCheckPendingRequests: () => void;
  checkPendingRequests: () => void;
}

interface Broker {
  listOffsets: (request: object) => Promise<unknown>;
}

interface ConsumerGroup {
  joinAndSync: () => Promise<void>;
}

interface ProduceAnswer {
  readonly topics: readonly {
    readonly partitions: readonly object[];
  }[];
}

interface ProduceRequests {
  protocol: (of: { readonly version: number }) => (request: { readonly topicData: readonly object[] }) => {
    readonly response: { parse: (answer: ProduceAnswer) => Promise<unknown> };
  };
}

const READ_UNCOMMITTED = 0;

const require = createRequire(import.meta.url);
let patched = false;

/** kafkajs requires the modules that use this one at the first produce and the first fetch, so it comes early enough. */
function replaceModule(path: string, replacement: unknown): void {
  require(path);
  const loaded = require.cache[require.resolve(path)];
  if (loaded === undefined) throw new Error(`${path} is not a module of this kafkajs`);
  loaded.exports = replacement;
}

/** A partition that was alone keeps its error, and with it kafkajs' search for a new leader. */
function answerForEachPartition(): void {
  const requests = require('kafkajs/src/protocol/requests/produce') as ProduceRequests;
  // The newest version that kafkajs speaks, which brokers take since 2.1; with an older one less is known of a failure.
  // Taken from a request, as kafkajs requires it for each one: Node resolves its path every time if anybody else was first.
  const { response } = requests.protocol({ version: 7 })({ topicData: [] });
  const { parse } = response;
  response.parse = (answer) => {
    const count = answer.topics.reduce((sum, { partitions }) => sum + partitions.length, 0);
    return count > 1 ? Promise.resolve(answer) : parse(answer);
  };
}

/** What kafkajs makes of an error code of the broker. */
export function errorOfCode(code: number): Error {
  const { createErrorFromCode } = require('kafkajs/src/protocol/error') as {
    readonly createErrorFromCode: (code: number) => Error;
  };
  return createErrorFromCode(code);
}

/** The runner tries an error again, without joining, unless it is told not to. `restartOnFailure` has to be false too. */
function endWhoeverCannotJoin(): void {
  const group = require('kafkajs/src/consumer/consumerGroup') as { readonly prototype: ConsumerGroup };
  const { joinAndSync } = group.prototype;
  group.prototype.joinAndSync = async function joinOrEnd(this: ConsumerGroup): Promise<void> {
    try {
      await joinAndSync.call(this);
    } catch (error) {
      throw error instanceof Error ? Object.assign(error, { retriable: false }) : error;
    }
  };
}

export function patchKafkajs(): void {
  if (patched) return;
  patched = true;
  replaceModule('kafkajs/src/protocol/recordBatch/record/v0/index.js', encodeRecord);
  replaceModule('kafkajs/src/protocol/recordBatch/record/v0/decoder.js', decodeRecord);
  replaceModule('kafkajs/src/protocol/recordBatch/crc32C/index.js', crc32c);
  registerCodecs();
  const batchDecoder = 'kafkajs/src/protocol/recordBatch/v0/decoder';
  replaceModule(batchDecoder, orUnreadable(require(batchDecoder) as DecodeBatch));
  // kafkajs has no types for its inside; the shape above is that of version 2.2.4, which is pinned exactly.
  const queue = require('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue };
  queue.prototype.scheduleCheckPendingRequests = function scheduleCheckPendingRequests(
    this: RequestQueue,
  ): void {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
    const waitMs = this.throttledUntil - Date.now();
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      waitMs > 0 ? waitMs : 10,
    );
  };
  answerForEachPartition();
  endWhoeverCannotJoin();
  const broker = require('kafkajs/src/broker') as { readonly prototype: Broker };
  const { listOffsets } = broker.prototype;
  broker.prototype.listOffsets = function listOffsetsUncommitted(this: Broker, request): Promise<unknown> {
    return listOffsets.call(this, { ...request, isolationLevel: READ_UNCOMMITTED });
  };
}
