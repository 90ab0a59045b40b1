/** Records as a consumer hands them over, with what the log itself reads of them. */
import { Buffer } from 'node:buffer';
import type { KafkaMessage } from 'kafkajs';
import { encodeCommitHeader, keyOf } from '../src/arbitration/commit-header.ts';
import { logHeaders } from '../src/headers.ts';
import { deriveId } from '../src/ids.ts';
import type { RawRecord } from '../src/log/transport.ts';

/** The only record of a commit, told by its name, that the leader of this number wrote. */
export const messageOf = (
  commit: string,
  offset: number,
  leader?: number,
): KafkaMessage & Pick<RawRecord, 'leaderEpoch'> => ({
  ...(leader === undefined ? {} : { leaderEpoch: leader }),
  key: Buffer.from('s'),
  value: null,
  timestamp: '0',
  attributes: 0,
  offset: String(offset),
  headers: {
    [logHeaders.commit]: encodeCommitHeader({
      commit: keyOf(deriveId(commit)) ?? '',
      previous: '',
      base: offset,
      index: 0,
      size: 1,
      history: undefined,
    }),
  },
});
