export { deliverySuite, type Delivering, type DeliveryHarness } from './delivery-suite.ts';
