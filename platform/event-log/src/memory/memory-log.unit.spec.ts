import { deliverySuite } from '@parley/delivery/testing';
import { deliveryHarness } from '../../testing/delivery-harness.ts';
import { eventLogFeatureSuite } from '../../testing/feature-suite.ts';
import { memoryHarness } from '../../testing/memory-harness.ts';

eventLogFeatureSuite('the event log in memory', memoryHarness);
deliverySuite('the event log in memory', deliveryHarness(memoryHarness));
