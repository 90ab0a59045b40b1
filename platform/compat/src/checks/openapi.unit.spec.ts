import { describe, expect, it } from 'vitest';
import type { Contracts } from '../contract-files.ts';
import type { JsonSchemaObject } from '../json-schema/accepts.ts';
import { checkOpenApi } from './openapi.ts';

const base = {
  openapi: '3.1.0',
  info: { title: 'Things', version: '1.0.0' },
  paths: {
    '/things': {
      post: {
        security: [] as object[],
        parameters: [
          { name: 'key', in: 'header', required: false, schema: { type: 'string' } },
          {
            name: 'limit',
            in: 'query',
            required: false,
            schema: { type: 'integer', maximum: 100, default: 20 },
          },
        ] as object[],
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/NewThing' } } } as object,
        },
        responses: {
          '201': {
            description: 'Made.',
            headers: { location: { schema: { type: 'string' } } },
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
          },
        } as Record<string, { headers: object; content: object }>,
      },
    },
    '/things/{thingId}': {
      get: {
        security: [{ token: [] }],
        parameters: [
          { name: 'thingId', in: 'path', required: true, schema: { type: 'string', maxLength: 9 } },
        ],
        responses: { '200': { description: 'One.' } },
      },
    },
  } as Record<string, unknown>,
  components: {
    securitySchemes: {
      token: { type: 'http', scheme: 'bearer' } as Record<string, unknown>,
    },
    schemas: {
      NewThing: {
        type: 'object',
        properties: { quantity: { type: 'integer', minimum: 1, maximum: 100 } } as Record<string, object>,
        required: ['quantity'],
        additionalProperties: false,
      },
      Thing: {
        type: 'object',
        properties: {
          thingId: { type: 'string', format: 'uuid' },
          status: { type: 'string', enum: ['NEW', 'DONE'] },
        } as Record<string, object>,
        required: ['thingId', 'status'],
      },
    },
  },
};
type Document = typeof base;

const contracts = (version: string, openApi: JsonSchemaObject): Contracts => ({
  version,
  dir: '',
  events: new Map(),
  graphqlSdl: '',
  openApi,
  queueMessages: new Map(),
});
const check = (change: (document: Document) => void) => {
  const today = structuredClone(base);
  change(today);
  return checkOpenApi(contracts('working tree', today), [contracts('1.0.0', base)]);
};
const post = (document: Document) =>
  (document.paths['/things'] as { post: (typeof base.paths & { post: never })['post'] }).post as unknown as {
    security: object[];
    parameters: object[];
    requestBody: { required: boolean; content: object } | undefined;
    responses: Record<string, { headers: object; content: object }>;
  };

describe('an OpenAPI document', () => {
  it.each<[string, (document: Document) => void]>([
    ['nothing', () => undefined],
    ['a path more', (document) => (document.paths['/more'] = {})],
    [
      'an optional parameter more',
      (document) => post(document).parameters.push({ name: 'more', in: 'query', schema: {} }),
    ],
    [
      'an optional property of the request more',
      (document) => (document.components.schemas.NewThing.properties.note = { type: 'string' }),
    ],
    [
      'a wider request',
      (document) =>
        (document.components.schemas.NewThing.properties.quantity = {
          type: 'integer',
          minimum: 0,
          maximum: 200,
        }),
    ],
    [
      'a property of the response more',
      (document) => (document.components.schemas.Thing.properties.more = { type: 'string' }),
    ],
    [
      'a narrower response',
      (document) => (document.components.schemas.Thing.properties.status = { type: 'string', enum: ['NEW'] }),
    ],
    [
      'another name of a path parameter',
      (document) => {
        const { '/things/{thingId}': one } = document.paths;
        delete document.paths['/things/{thingId}'];
        document.paths['/things/{id}'] = JSON.parse(JSON.stringify(one).replaceAll('thingId', 'id'));
      },
    ],
    [
      'other words about its security scheme',
      (document) => (document.components.securitySchemes.token.description = 'Ask for one.'),
    ],
    ['an error more', (document) => (post(document).responses['409'] = { headers: {}, content: {} })],
  ])('may change by %s', (_what, change) => {
    expect(check(change).findings).toEqual([]);
  });

  it.each<[string, (document: Document) => void, string, string]>([
    [
      'a path less',
      (document) => delete document.paths['/things'],
      'openapi/operation-removed',
      'POST /things',
    ],
    [
      'a parameter less',
      (document) => post(document).parameters.pop(),
      'openapi/parameter-removed',
      'query limit',
    ],
    [
      'a required parameter more',
      (document) => post(document).parameters.push({ name: 'more', in: 'query', required: true, schema: {} }),
      'openapi/parameter-required',
      'query more',
    ],
    [
      'a narrower parameter',
      (document) =>
        (post(document).parameters[1] = {
          name: 'limit',
          in: 'query',
          schema: { type: 'integer', maximum: 50, default: 20 },
        }),
      'openapi/parameter/maximum',
      'query limit',
    ],
    [
      'another default of a parameter',
      (document) =>
        (post(document).parameters[1] = {
          name: 'limit',
          in: 'query',
          schema: { type: 'integer', maximum: 100, default: 50 },
        }),
      'openapi/parameter/default',
      'query limit: the document: default (was 20, is 50)',
    ],
    [
      'a required property of the request more',
      (document) => {
        document.components.schemas.NewThing.properties.note = { type: 'string' };
        document.components.schemas.NewThing.required.push('note');
      },
      'openapi/request/required',
      'request body note',
    ],
    [
      'a narrower request',
      (document) =>
        (document.components.schemas.NewThing.properties.quantity = {
          type: 'integer',
          minimum: 1,
          maximum: 50,
        }),
      'openapi/request/maximum',
      'request body quantity: maximum (was 100, is 50)',
    ],
    [
      'a property of the response less',
      (document) => delete document.components.schemas.Thing.properties.status,
      'openapi/response/property-removed',
      '201: status',
    ],
    [
      'a property of the response that may be absent',
      (document) => document.components.schemas.Thing.required.pop(),
      'openapi/response/required',
      '201: status',
    ],
    [
      'a wider response',
      (document) =>
        (document.components.schemas.Thing.properties.status = {
          type: 'string',
          enum: ['NEW', 'DONE', 'LOST'],
        }),
      'openapi/response/enum',
      '201: status',
    ],
    [
      'another type in the response',
      (document) => (document.components.schemas.Thing.properties.thingId = { type: 'integer' }),
      'openapi/response/type',
      '201: thingId',
    ],
    [
      'a success less',
      (document) => {
        post(document).responses = {};
      },
      'openapi/response-removed',
      'POST /things: 201',
    ],
    [
      'a success that clients do not know',
      (document) => (post(document).responses['202'] = { headers: {}, content: {} }),
      'openapi/response-added',
      'POST /things: 202',
    ],
    [
      'a response header less',
      (document) => {
        const { content } = post(document).responses['201'] ?? { content: {} };
        post(document).responses['201'] = { headers: {}, content };
      },
      'openapi/response-header-removed',
      'header location',
    ],
    [
      'another schema of a response header',
      (document) => {
        const { content } = post(document).responses['201'] ?? { content: {} };
        post(document).responses['201'] = { headers: { location: { schema: { type: 'integer' } } }, content };
      },
      'openapi/response-header/type',
      'header location',
    ],
    [
      'another security scheme',
      (document) => (document.components.securitySchemes.token.scheme = 'basic'),
      'openapi/security-changed',
      'GET /things/{thingId}',
    ],
    [
      'a narrower path parameter of another name',
      (document) => {
        const { '/things/{thingId}': one } = document.paths;
        delete document.paths['/things/{thingId}'];
        document.paths['/things/{id}'] = JSON.parse(
          JSON.stringify(one).replaceAll('thingId', 'id').replace('"maxLength":9', '"maxLength":5'),
        );
      },
      'openapi/parameter/maxLength',
      'parameter path #0',
    ],
    [
      'a media type less',
      (document) => {
        post(document).responses['201'] = { headers: { location: {} }, content: { 'text/plain': {} } };
      },
      'openapi/response-media-type-removed',
      'application/json',
    ],
    [
      'a token that is asked for',
      (document) => post(document).security.push({ token: [] }),
      'openapi/security-required',
      'POST /things',
    ],
  ])('breaks by %s, which names the place', (_what, change, rule, named) => {
    const { findings } = check(change);
    const found = findings.find((finding) => finding.rule === rule);
    expect(found?.broke, JSON.stringify(findings)).toContain(named);
  });
});
