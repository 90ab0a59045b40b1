export * from './common.ts';
export * from './graphql.ts';
export * from './notifications.ts';
export * from './operations.ts';
export * from './orders.ts';
export * from './payments.ts';
export * from './products.ts';
export * from './shipments.ts';
