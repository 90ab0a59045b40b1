import { graphqlSdl } from '@parley/contracts/graphql';
import { buildSchema, lexicographicSortSchema, printSchema } from 'graphql';

/** `contracts/schema.graphql`: the schema of `POST /graphql`, sorted, so that two texts differ only where it does. */
export const graphqlDocument = (sdl: string = graphqlSdl): string =>
  `${printSchema(lexicographicSortSchema(buildSchema(sdl)))}\n`;
