import { memoryHarness } from '../../testing/memory-harness.ts';
import { snapshotSuite } from '../../testing/snapshot-suite.ts';

snapshotSuite('a log in memory that starts from a snapshot', memoryHarness, 15);
