import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The GraphQL schema definition language of `POST /graphql`. */
export const graphqlSdl: string = readFileSync(
  join(import.meta.dirname, '../graphql/schema.graphql'),
  'utf8',
);
