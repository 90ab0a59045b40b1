import { eventTopics } from '@parley/contracts/topics';
import type { DomainEvent, EventTopic, ProjectionDefinition } from '@parley/event-log';
import { notifications } from '@parley/projection-notifications';
import { orders } from '@parley/projection-orders';
import { payments } from '@parley/projection-payments';
import { productsProjection } from '@parley/projection-products';
import { shipments } from '@parley/projection-shipments';
import { CommandError } from './cli/exit.ts';

/** A projection whose row and event types only its own fold knows. */
export type AnyProjection = ProjectionDefinition<unknown, DomainEvent>;

const erased = <Row, E extends DomainEvent>(definition: ProjectionDefinition<Row, E>): AnyProjection =>
  definition as unknown as AnyProjection; // rows and events only ever go back into the definition they came from

/** Every read model of `projections/`. */
export const projections: readonly AnyProjection[] = [
  erased(orders),
  erased(productsProjection),
  erased(payments),
  erased(notifications),
  erased(shipments),
];

/** Every event topic, without its event type. */
export const topics: readonly EventTopic<DomainEvent>[] = eventTopics;

const shortName = (topic: string): string => topic.replace(/^parley\.(.*)\.events$/, '$1');

/** The topic of that name, `parley.order.events` or `order`. @throws CommandError (usage) naming those there are. */
export const topicNamed = (name: string): EventTopic<DomainEvent> => {
  const topic = topics.find((candidate) => candidate.name === name || shortName(candidate.name) === name);
  if (topic !== undefined) return topic;
  const known = topics.map((candidate) => shortName(candidate.name)).join(', ');
  throw new CommandError('usage', `no event topic is called ${JSON.stringify(name)}. There are ${known}`);
};

/** The topic whose aggregates have such a stream: `order-…` lies in parley.order.events. @throws CommandError */
export const topicOfStream = (streamId: string): EventTopic<DomainEvent> => {
  const [prefix = ''] = streamId.split('-', 1);
  const short = prefix === 'shipment' ? 'shipping' : prefix;
  const topic = topics.find((candidate) => shortName(candidate.name) === short);
  if (topic !== undefined && streamId.length > prefix.length + 1) return topic;
  throw new CommandError(
    'usage',
    `${JSON.stringify(streamId)} is no stream. A stream is called as order-<order id> or product-<product id>`,
  );
};

/** The projections of these names, all of them when there is none. @throws CommandError (usage) naming those there are. */
export const projectionsNamed = (names: readonly string[]): readonly AnyProjection[] => {
  if (names.length === 0) return projections;
  return [...new Set(names)].map((name) => {
    const found = projections.find((candidate) => candidate.name === name);
    if (found !== undefined) return found;
    const known = projections.map((candidate) => candidate.name).join(', ');
    throw new CommandError('usage', `no projection is called ${JSON.stringify(name)}. There are ${known}`);
  });
};
