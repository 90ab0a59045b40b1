import type { ProjectionDefinition } from '@parley/event-log';
import { notifications } from '@parley/projection-notifications';
import { orders } from '@parley/projection-orders';
import { payments } from '@parley/projection-payments';
import { productsProjection } from '@parley/projection-products';
import { shipments } from '@parley/projection-shipments';

/** A read model of any event and row. Each is folded from its own topic only. */
export type AnyProjection = ProjectionDefinition<object, never>;

/** Every read model of `projections/`. */
export const everyProjection: readonly AnyProjection[] = [
  orders,
  productsProjection,
  payments,
  notifications,
  shipments,
].map((projection) => projection as unknown as AnyProjection);
