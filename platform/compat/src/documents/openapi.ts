import { atLeastLimits, waitLimits } from '@parley/contracts/consistency';
import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { correlationIdPattern, httpHeaders } from '@parley/contracts/headers';
import * as rest from '@parley/contracts/rest';
import { z } from 'zod';
import type { JsonSchemaObject } from '../json-schema/accepts.ts';
import { componentsOf, jsonSchemaOf } from './json-schema.ts';

type Fragment = Readonly<Record<string, unknown>>;

const schemaRef = (name: string): string => `#/components/schemas/${name}`;
const headerRef = (name: string): Fragment => ({ $ref: `#/components/headers/${name}` });

/** Every exported zod schema that is a document of its own; scalars stay where they are used. */
const named = (): Readonly<Record<string, z.ZodType>> =>
  Object.fromEntries(
    Object.entries<unknown>(rest)
      .filter((entry): entry is [string, z.ZodObject] => entry[1] instanceof z.ZodObject)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

/** Those components that a document refers to, by way of others too. */
function reachable(
  document: unknown,
  components: Readonly<Record<string, JsonSchemaObject>>,
): Readonly<Record<string, JsonSchemaObject>> {
  const used = new Set<string>();
  const follow = (text: string): void => {
    for (const [name, schema] of Object.entries(components)) {
      if (used.has(name) || !text.includes(`"${schemaRef(name)}"`)) continue;
      used.add(name);
      follow(JSON.stringify(schema));
    }
  };
  follow(JSON.stringify(document));
  return Object.fromEntries(Object.entries(components).filter(([name]) => used.has(name)));
}

const nameOf = (schemas: Readonly<Record<string, z.ZodType>>, schema: z.ZodType): string => {
  const found = Object.entries(schemas).find(([, candidate]) => candidate === schema);
  if (found === undefined) throw new Error('a body that is not exported from contracts/src/rest');
  return found[0];
};

const isOptional = (schema: z.ZodType): boolean => schema.safeParse(undefined).success;

const parametersOf = (operation: rest.Operation): readonly Fragment[] => {
  const places = [
    ['path', operation.params],
    ['query', operation.query?.shape],
    ['header', operation.headers],
  ] as const;
  return [
    ...['correlationId', 'atLeast', 'prefer'].map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ...places.flatMap(([place, schemas]) =>
      Object.entries(schemas ?? {}).map(([name, schema]) => ({
        name,
        in: place,
        required: place === 'path' || !isOptional(schema as z.ZodType),
        schema: jsonSchemaOf(schema as z.ZodType, 'output'),
      })),
    ),
  ];
};

const errorsOf = (operation: rest.Operation): readonly ErrorCode[] => [
  ...new Set<ErrorCode>([
    ...operation.errors,
    ...rest.commonErrors,
    ...(operation.access === 'internal' ? [] : rest.gatewayErrors),
    ...(operation.access === 'customer' ? (['UNAUTHENTICATED'] as const) : []),
  ]),
];

/** One response per status: the problem, with the codes that come under it. */
const problemsOf = (operation: rest.Operation): Fragment => {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorsOf(operation)) {
    const { httpStatus } = errorCatalog[code];
    byStatus.set(httpStatus, [...(byStatus.get(httpStatus) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `${code}: ${errorCatalog[code].title}.`).join(' '),
        headers: {
          [httpHeaders.correlationId]: headerRef('correlationId'),
          ...(codes.some((code) => errorCatalog[code].retryable)
            ? { 'retry-after': headerRef('retryAfter') }
            : {}),
          ...(codes.some((code) => operation.recordedErrors?.includes(code))
            ? { [httpHeaders.position]: headerRef('position') }
            : {}),
        },
        content: { 'application/problem+json': { schema: { $ref: schemaRef('Problem') } } },
      },
    ]),
  );
};

const operationOf = (schemas: Readonly<Record<string, z.ZodType>>, operation: rest.Operation): Fragment => {
  const bodyOf = (schema: z.ZodType): Fragment => ({
    'application/json': { schema: { $ref: schemaRef(nameOf(schemas, schema)) } },
  });
  const contentOf = ({ body, events }: rest.Answer, status: string): Fragment => {
    if (status === '204') return {};
    if (body === undefined) return { 'text/html': { schema: { type: 'string' } } };
    if (events !== true) return bodyOf(body);
    const description = `Each event’s data is a ${nameOf(schemas, body)}.`;
    return { 'text/event-stream': { schema: { type: 'string', description } } };
  };
  const answers = Object.entries(operation.answers).map(([status, answer]) => [
    status,
    {
      description: answer.description,
      headers: {
        [httpHeaders.correlationId]: headerRef('correlationId'),
        ...(operation.writes === true ? { [httpHeaders.position]: headerRef('position') } : {}),
      },
      content: contentOf(answer, status),
    },
  ]);
  return {
    operationId: operation.operationId,
    summary: operation.summary,
    tags: [operation.service],
    'x-parley-access': operation.access,
    security: operation.access === 'customer' ? [{ token: [] }] : [],
    parameters: parametersOf(operation),
    ...(operation.body === undefined
      ? {}
      : { requestBody: { required: true, content: bodyOf(operation.body) } }),
    responses: { ...(Object.fromEntries(answers) as Fragment), ...problemsOf(operation) },
  };
};

/** `contracts/openapi.json`: OpenAPI 3.1 of every REST operation, from the zod schemas that the services parse with. */
export function openApiDocument(version: string): JsonSchemaObject {
  const schemas = named();
  const paths: Record<string, Record<string, Fragment>> = {};
  for (const operation of rest.operations) {
    (paths[operation.path] ??= {})[operation.method] = operationOf(schemas, operation);
  }
  const used = reachable(paths, componentsOf(schemas, schemaRef));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Parley',
      version,
      description:
        'The REST operations of Parley’s services. Errors are problem+json (RFC 9457) with a code of one closed list.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      { url: '/', description: 'The gateway. Operations with x-parley-access: internal are not behind it.' },
    ],
    paths,
    components: {
      schemas: used,
      parameters: {
        correlationId: {
          name: httpHeaders.correlationId,
          in: 'header',
          required: false,
          description: 'Kept when well-formed, replaced by a fresh one otherwise.',
          schema: { type: 'string', pattern: correlationIdPattern.source },
        },
        atLeast: {
          name: httpHeaders.atLeast,
          in: 'header',
          required: false,
          description:
            'Answer nothing older than these log positions: topic/partition@offset, comma-separated. 503 NOT_YET_CONSISTENT with Retry-After when the service has not come to them within the wait.',
          schema: { type: 'string', maxLength: atLeastLimits.lengthMax },
        },
        prefer: {
          name: httpHeaders.prefer,
          in: 'header',
          required: false,
          description: `wait=<seconds> (RFC 7240) bounds the wait for the positions; at most ${waitLimits.maxMs / 1000}.`,
          schema: { type: 'string' },
        },
      },
      headers: {
        correlationId: {
          description: 'The correlation id of the request, on every answer.',
          required: true,
          schema: { type: 'string' },
        },
        position: {
          description: `Where the last event of the write lies in the log; hand it on as ${httpHeaders.atLeast} to read your write.`,
          schema: { type: 'string' },
        },
        retryAfter: {
          description: 'Seconds after which it is worth trying again.',
          schema: { type: 'integer' },
        },
      },
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
}
