import { describe, expect, it } from 'vitest';
import type { Contracts } from '../contract-files.ts';
import type { JsonSchemaObject } from '../json-schema/accepts.ts';
import { checkGraphql } from './graphql.ts';
import { checkQueues } from './queues.ts';

const contracts = (version: string, own: Partial<Contracts>): Contracts => ({
  version,
  dir: '',
  events: new Map(),
  graphqlSdl: '',
  openApi: {},
  queueMessages: new Map(),
  ...own,
});

describe('a GraphQL schema', () => {
  const sdl =
    'type Thing { id: ID! stock: Int! }\ninput Like { size: Int = 1 }\ntype Query { thing(id: ID!): Thing things(limit: Int = 20, like: Like): [Thing!]! }';
  const check = (today: string) =>
    checkGraphql(contracts('working tree', { graphqlSdl: today }), [contracts('1.0.0', { graphqlSdl: sdl })]);

  it('may grow', () => {
    expect(check(sdl.replace('stock', 'more: String stock')).findings).toEqual([]);
  });

  it.each([
    ['a field less', sdl.replace('stock: Int!', ''), 'graphql/field-removed', 'Thing.stock'],
    ['a field that may be null', sdl.replace('Int!', 'Int'), 'graphql/field-changed-kind', 'Thing.stock'],
    [
      'a required argument more',
      sdl.replace('id: ID!)', 'id: ID!, more: ID!)'),
      'graphql/required-arg-added',
      'Query.thing',
    ],
    ['an argument less', sdl.replace('(id: ID!)', ''), 'graphql/arg-removed', 'Query.thing'],
    [
      'another default of an argument',
      sdl.replace('limit: Int = 20', 'limit: Int = 50'),
      'graphql/arg-default-value-change',
      'Query.things',
    ],
    [
      'another default of an input field',
      sdl.replace('size: Int = 1', 'size: Int'),
      'graphql/input-field-default-value-change',
      'Like.size',
    ],
  ])('breaks by %s, which names the field', (_what, today, rule, named) => {
    const found = check(today).findings.find((finding) => finding.rule === rule);
    expect(found?.broke).toContain(named);
  });
});

describe('a queue message', () => {
  const message: JsonSchemaObject = {
    type: 'object',
    properties: { requestId: { type: 'string', format: 'uuid' }, requestedAt: { type: 'integer' } },
    required: ['requestId', 'requestedAt'],
  };
  const check = (today: JsonSchemaObject | undefined) =>
    checkQueues(
      contracts('working tree', {
        queueMessages: new Map(today === undefined ? [] : [['Requested', today]]),
      }),
      [contracts('1.0.0', { queueMessages: new Map([['Requested', message]]) })],
    ).findings;
  const properties = message.properties as Record<string, unknown>;

  it('may have an optional property more', () => {
    expect(check({ ...message, properties: { ...properties, note: { type: 'string' } } })).toEqual([]);
  });

  it.each<[string, JsonSchemaObject | undefined, string, string]>([
    ['is gone', undefined, 'queue/removed', 'Requested'],
    [
      'asks for a property more',
      {
        ...message,
        properties: { ...properties, note: { type: 'string' } },
        required: ['requestId', 'requestedAt', 'note'],
      },
      'queue/required',
      'Requested.note',
    ],
    [
      'no longer brings a property',
      { ...message, required: ['requestId'] },
      'queue/required',
      'Requested.requestedAt',
    ],
    [
      'loses a property',
      { ...message, properties: { requestId: properties.requestId }, required: ['requestId'] },
      'queue/property-removed',
      'Requested.requestedAt',
    ],
    [
      'changes a type',
      { ...message, properties: { ...properties, requestedAt: { type: 'string' } } },
      'queue/type',
      'Requested.requestedAt',
    ],
  ])('breaks when it %s', (_what, today, rule, named) => {
    const found = check(today).find((finding) => finding.rule === rule);
    expect(found?.broke).toContain(named);
  });
});
