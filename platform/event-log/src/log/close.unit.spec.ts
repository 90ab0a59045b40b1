/** What a log does in the time that it is given to close, when what it closes hangs. */
import { readdir } from 'node:fs/promises';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { countedTopic } from '../../testing/counter.ts';
import { addTo, startNode, temporaryFolders } from '../../testing/snapshot-nodes.ts';
import { MemoryLink } from '../memory/link.ts';
import { createMemoryBroker, memoryTransport } from '../memory/open.ts';
import { defaultSnapshotLimits } from '../snapshot/settings.ts';
import { TransportLog } from './event-log.ts';
import { defaultLimits } from './limits.ts';
import type { Transport } from './transport.ts';

const freshFolder = temporaryFolders();
const never = (): Promise<void> => new Promise(() => undefined);

it.each<keyof Transport & ('leaveGroups' | 'close')>(['leaveGroups', 'close'])(
  'the last snapshot is written within the deadline although %s of the transport hangs',
  async (hanging) => {
    const directory = await freshFolder();
    const transport = memoryTransport(createMemoryBroker(), new MemoryLink());
    const log = new TransportLog(
      { ...transport, [hanging]: never },
      {
        service: 'closing',
        logger: pino({ level: 'silent' }),
        limits: defaultLimits,
        hops: 'child',
        now: Date.now,
        snapshots: { directory, limits: defaultSnapshotLimits },
      },
    );
    const node = await startNode(log, countedTopic('closing'));
    await addTo(node, 0, 1, 'only');
    await log.close({ deadlineMs: 5000 });
    expect(await readdir(directory)).toEqual([expect.stringMatching(/\.snapshot$/)]);
    await transport.close();
  },
);
