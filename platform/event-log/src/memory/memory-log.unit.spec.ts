import { eventLogFeatureSuite } from '../../testing/feature-suite.ts';
import { memoryHarness } from '../../testing/memory-harness.ts';

eventLogFeatureSuite('the event log in memory', memoryHarness);
