import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import asyncApiSpecs from '@asyncapi/specs';
import { Ajv } from 'ajv';
import ajvFormats from 'ajv-formats';
import { serviceNames } from '@parley/contracts/endpoints';
import { eventSchemas } from '@parley/contracts/events';
import { operations } from '@parley/contracts/rest';
import { buildSchema, validateSchema } from 'graphql';
import { describe, expect, it } from 'vitest';
import { isObject } from '../json-schema/accepts.ts';
import { readReleases } from '../released.ts';
import { catalogPage } from './catalog.ts';
import { checkDocuments, generateDocuments, nextVersion } from './index.ts';
import { readWiring } from './wiring.ts';

const repositoryDir = resolve(import.meta.dirname, '../../../..');
const documents = new Map(
  generateDocuments(repositoryDir, readReleases(join(repositoryDir, 'contracts'))).map(({ path, text }) => [
    path,
    text,
  ]),
);
const textOf = (path: string): string => documents.get(path) ?? '';
const jsonOf = (path: string): Record<string, unknown> => JSON.parse(textOf(path)) as Record<string, unknown>; // generated as an object

describe('openapi.json', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(jsonOf('openapi.json'));
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
  });

  it('has no reference to nothing', () => {
    const document = jsonOf('openapi.json');
    const refs = [...textOf('openapi.json').matchAll(/"\$ref": "#\/([^"]+)"/g)].map(([, ref]) => ref ?? '');
    expect(refs.length).toBeGreaterThan(20);
    for (const ref of refs) {
      let at: unknown = document;
      for (const step of ref.split('/')) at = isObject(at) ? at[step] : undefined;
      expect(at, ref).toBeDefined();
    }
  });

  it('describes exactly what the services mount', () => {
    const mounted = serviceNames.flatMap((service) => {
      const dir = join(repositoryDir, 'domains', service, 'src/adapters/inbound');
      const text = readdirSync(dir)
        .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
        .map((file) => readFileSync(join(dir, file), 'utf8'))
        .join('\n');
      const routes = text.matchAll(/service\.http\.(get|post|on)\(\s*(\[[^\]]+\],\s*)?'([^']+)'/g);
      return [...routes].flatMap(([, method = '', methods = '', path = '']) =>
        (method === 'on' ? [...methods.matchAll(/'(\w+)'/g)].map(([, name = '']) => name) : [method]).map(
          (name) => `${service} ${name.toLowerCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
        ),
      );
    });
    expect(mounted.sort()).toEqual(
      operations.map(({ service, method, path }) => `${service} ${method} ${path}`).sort(),
    );
  });

  it('has the consistency token: told by every write, asked for by every operation, refused with 503 and Retry-After', () => {
    const document = jsonOf('openapi.json') as {
      paths: Record<
        string,
        Record<
          string,
          {
            parameters: { $ref?: string }[];
            responses: Record<string, { description: string; headers: Record<string, unknown> }>;
          }
        >
      >;
      components: { parameters: Record<string, { name: string; in: string }> };
    };
    const { atLeast, prefer } = document.components.parameters;
    expect([atLeast, prefer]).toMatchObject([
      { name: 'x-parley-at-least', in: 'header' },
      { name: 'prefer', in: 'header' },
    ]);
    const telling: string[] = [];
    for (const { path, method, operationId } of operations) {
      const { parameters = [], responses = {} } = document.paths[path]?.[method] ?? {};
      const refs = parameters.map(({ $ref }) => $ref);
      for (const name of ['atLeast', 'prefer'])
        expect(refs, operationId).toContain(`#/components/parameters/${name}`);
      expect(responses['503']?.description, operationId).toContain('NOT_YET_CONSISTENT');
      expect(responses['503']?.headers, operationId).toHaveProperty('retry-after');
      for (const [status, { headers }] of Object.entries(responses))
        if ('x-parley-position' in headers) telling.push(`${operationId} ${status}`);
    }
    // Also the refusals of an order that was recorded.
    expect(telling.sort()).toEqual(
      [
        'pay 201',
        'placeOrder 201',
        'placeOrder 202',
        'placeOrder 402',
        'placeOrder 404',
        'placeOrder 409',
        'voidPayment 200',
      ].sort(),
    );
  });

  it('answers every operation with problems that carry the correlation id', () => {
    const document = jsonOf('openapi.json') as {
      paths: Record<
        string,
        Record<string, { responses: Record<string, { headers: object; content: object }> }>
      >;
    };
    for (const { path, method } of operations) {
      const responses = Object.entries(document.paths[path]?.[method]?.responses ?? {});
      const problems = responses.filter(([status]) => Number(status) >= 400);
      expect(problems.length, path).toBeGreaterThan(4);
      for (const [status, { headers, content }] of responses) {
        expect(headers, `${path} ${status}`).toHaveProperty('x-correlation-id');
        if (Number(status) >= 400) expect(Object.keys(content)).toEqual(['application/problem+json']);
      }
    }
  });
});

describe('asyncapi.json', () => {
  it('is valid AsyncAPI 3.0', () => {
    const ajv = new Ajv({ strict: false, allErrors: true });
    ajvFormats.default(ajv);
    const validate = ajv.compile(asyncApiSpecs.schemasWithoutId['3.0.0'] as object);
    validate(jsonOf('asyncapi.json'));
    expect(validate.errors).toBeNull();
  });

  it('has every event as a message of its topic, with its Avro schema', () => {
    const document = jsonOf('asyncapi.json') as {
      channels: Record<string, { messages: Record<string, unknown> }>;
      components: { messages: Record<string, { payload: { schema?: unknown } }> };
    };
    for (const [aggregate, events] of Object.entries(eventSchemas)) {
      const channel = document.channels[`parley.${aggregate}.events`];
      expect(Object.keys(channel?.messages ?? {})).toEqual(Object.keys(events));
      for (const [type, schema] of Object.entries(events))
        expect(document.components.messages[type]?.payload.schema).toEqual(schema);
    }
  });
});

describe('schema.graphql', () => {
  it('is a valid schema', () => {
    expect(validateSchema(buildSchema(textOf('schema.graphql')))).toEqual([]);
  });
});

describe('the catalogue', () => {
  const wiring = readWiring(repositoryDir);

  it('names one producer and at least one consumer of every event', () => {
    const rows = textOf('CATALOG.md')
      .split('\n')
      .filter((line) => line.startsWith('| `') && line.includes('parley.'));
    const types = Object.values(eventSchemas).flatMap((events) => Object.keys(events));
    expect(rows).toHaveLength(types.length + 1); // and the queue message
    for (const type of types) {
      const row = rows.find((line) => line.startsWith(`| \`${type}\``));
      expect(row, type).toMatch(/\| (order|product|payment|notification|shipping) \|.*(reaction|read model)/);
    }
  });

  it('knows the reactions and queues that carry an order to its shipment', () => {
    const reactions = wiring.flatMap(({ service, reactions: declared }) =>
      declared.flatMap(({ types }) => types.map((type) => `${type} -> ${service}`)),
    );
    expect(reactions).toEqual(
      expect.arrayContaining([
        'PaymentCompleted -> notification',
        'ShipmentDispatched -> order',
        'OrderPaid -> product',
      ]),
    );
    expect(wiring.filter(({ publishesTo }) => publishesTo.length > 0).map(({ service }) => service)).toEqual([
      'notification',
    ]);
    expect(
      wiring.filter(({ consumesFrom }) => consumesFrom.length > 0).map(({ service }) => service),
    ).toEqual(['shipping']);
  });

  it('refuses an event that nobody makes, and one that two services make', () => {
    const silent = wiring.map((service) => ({
      ...service,
      produces: service.produces.filter((type) => type !== 'OrderPaid'),
    }));
    expect(() => catalogPage(silent, () => [])).toThrow('OrderPaid must have one producer, has 0');
    const twice = wiring.map((service) =>
      service.service === 'shipping' ? { ...service, produces: [...service.produces, 'OrderPaid'] } : service,
    );
    expect(() => catalogPage(twice, () => [])).toThrow('OrderPaid must have one producer, has 2');
  });

  it('counts the versions of an event by the schemas that releases had', () => {
    const today = eventSchemas.order.OrderPaid;
    const older = { ...today, doc: 'Older.' };
    const page = (schemas: readonly (object | undefined)[]): string | undefined =>
      catalogPage(wiring, (type) =>
        type === 'OrderPaid' ? schemas.map((schema, index) => ({ release: `1.${index}.0`, schema })) : [],
      )
        .split('\n')
        .find((line) => line.startsWith('| `OrderPaid`'));
    expect(page([])).toContain('v1 (not released)');
    expect(page([undefined, today])).toContain('v1 (1.1.0)');
    expect(page([older, older])).toContain('v2 (not released)');
    expect(page([older, today, today])).toContain('v2 (1.1.0)');
  });
});

describe('generated documents', () => {
  it('are the same bytes each time', () => {
    const releases = readReleases(join(repositoryDir, 'contracts'));
    const again = generateDocuments(repositoryDir, releases);
    expect(new Map(again.map(({ path, text }) => [path, text]))).toEqual(documents);
  });

  it('are called by the next minor version', () => {
    expect(nextVersion([])).toBe('1.0.0');
    expect(nextVersion([{ version: '1.0.0' }, { version: '1.9.2' }])).toBe('1.10.0');
  });

  it('that differ from their sources are named with the line', () => {
    const contractsDir = join(repositoryDir, 'contracts');
    const drifted = textOf('schema.graphql').replace('stock: Int!', 'stock: Int');
    const { findings } = checkDocuments(contractsDir, [
      { path: 'schema.graphql', text: drifted },
      { path: 'none.json', text: '' },
    ]);
    expect(findings.map(({ rule, contract }) => [rule, contract])).toEqual([
      ['document/drift', 'document schema.graphql'],
      ['document/drift', 'document none.json'],
    ]);
    expect(findings[0]?.broke).toMatch(/at line \d+: stock: Int!/);
  });
});
