export * from './rows.ts';
export * from './grpc.ts';
export * from './graphql.ts';
