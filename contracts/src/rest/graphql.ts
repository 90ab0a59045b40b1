import { z } from 'zod';
import { graphqlCodes } from '../errors.ts';

const codes = [...graphqlCodes] as [string, ...string[]];

/** Body of `POST /graphql`. */
export const GraphqlRequest = z.object({
  query: z.string(),
  variables: z.record(z.string(), z.unknown()).optional(),
  operationName: z.string().optional(),
});

/** Answer of `POST /graphql`: `data` is null or absent when nothing could be answered. */
export const GraphqlResponse = z.object({
  data: z.record(z.string(), z.unknown()).nullable().optional(),
  errors: z
    .array(
      z.object({
        message: z.string(),
        path: z.array(z.union([z.string(), z.int()])).optional(),
        /** More codes may come: a client treats one that it does not know by `data`, which is then null or lacks the field. */
        extensions: z.object({ code: z.enum(codes).meta({ extensible: true }) }),
      }),
    )
    .optional(),
});
