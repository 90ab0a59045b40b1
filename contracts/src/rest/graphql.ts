import { z } from 'zod';

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
        extensions: z.object({ code: z.string() }),
      }),
    )
    .optional(),
});
