import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkGateway } from '../cli/check.ts';
import { committedTarget, renderAll, renderedDir } from '../cli/rendered.ts';
import { SchemasUnavailable } from './schemas.ts';

const good = (name: string): string => readFileSync(join(renderedDir, name), 'utf8');
const files = { 'apisix.yaml': good('apisix.yaml'), 'config.yaml': good('config.yaml') };

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'parley-check-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const findingsIn = async (changed: Partial<typeof files>, schema?: string): Promise<readonly string[]> => {
  for (const [name, text] of Object.entries({ ...files, ...changed })) await writeFile(join(dir, name), text);
  return (await checkGateway({ dir, ...(schema === undefined ? {} : { schema }) })).findings;
};
/** The standalone file with one thing in it changed, which must be there. */
const changed = (from: string | RegExp, to: string): { 'apisix.yaml': string } => {
  const text = files['apisix.yaml'].replace(from, to);
  if (text === files['apisix.yaml']) throw new Error(`nothing to change: ${String(from)}`);
  return { 'apisix.yaml': text };
};

it('the committed files are what the policy renders to, and have no findings', async () => {
  for (const [name, text] of Object.entries(renderAll(committedTarget())))
    expect(good(name), name).toBe(text);
  expect(await checkGateway({})).toEqual({ findings: [] });
});

it('a rendering with a collector makes spans of every route, and has no findings', async () => {
  const { 'apisix.yaml': text = '' } = renderAll({ ...committedTarget(), collector: '127.0.0.1:4318' });
  expect(text.match(/address: "127\.0\.0\.1:4318"/g)).toHaveLength(1);
  expect(text.match(/opentelemetry:\n/g)).toHaveLength(committedTarget().policy.routes.length);
  expect(await findingsIn({ 'apisix.yaml': text })).toEqual([]);
});

it('without a schema the report names none: nothing was validated', async () => {
  expect('schemas' in (await checkGateway({}))).toBe(false);
});

describe('a trap is found:', () => {
  it.each<[string, { 'apisix.yaml': string }, RegExp]>([
    ['a file without its end', changed('#END\n', ''), /#END/],
    ['a word that YAML 1.1 takes for a boolean', changed('name: "orders"', 'name: on'), /YAML 1\.1/],
    ['a limit that would answer 503', changed('rejected_code: 429', 'rejected_code: 503'), /rejected_code/],
    ['a limit without its policy', changed(/ +policy: "local"\n/, ''), /policy of limit-count/],
    ['tokens without an end', changed('- "exp"', '- "nbf"'), /without exp/],
    [
      'an upstream that is not there',
      changed('upstream_id: "order"', 'upstream_id: "ordre"'),
      /none of upstreams/,
    ],
    ['two items with one id', changed('id: "products"', 'id: "orders"'), /there twice/],
    ['a route whose errors would be text', changed('phase: "body_filter"', 'phase: "log"'), /problem\+json/],
    ['a route that waits for a minute', changed(/ +timeout:\n.*\n.*\n.*\n/, ''), /without a timeout/],
    [
      'a plugin in two global rules',
      changed('global_rules:\n', 'global_rules:\n  - id: "a"\n    plugins:\n      cors: {}\n'),
      /merges them/,
    ],
    [
      'a plugin that config.yaml does not list',
      changed('client-control:', 'client-controll:'),
      /does not list/,
    ],
    [
      'spans that go nowhere',
      changed('client-control:', 'opentelemetry: {}\n      client-control:'),
      /plugin_metadata/,
    ],
    ['a collection that nobody reads', changed('routes:\n', 'routs: []\nroutes:\n'), /routs/],
  ])('%s', async (_what, change, found) => {
    expect((await findingsIn(change)).join('\n')).toMatch(found);
  });
});

describe('with schemas in the shape of /v1/schema', () => {
  const withSchemas = async (schemas: unknown): Promise<string> => {
    const path = join(dir, 'schema.json');
    await writeFile(path, JSON.stringify(schemas));
    return path;
  };
  const anything = { type: 'object' };
  const names = [
    'client-control',
    'cors',
    'fault-injection',
    'limit-count',
    'prometheus',
    'proxy-buffering',
    'serverless-pre-function',
    'serverless-post-function',
  ];
  const lenient = {
    main: { upstream: anything, consumer: anything, global_rule: anything, route: anything },
    plugins: {
      ...Object.fromEntries(names.map((name) => [name, { schema: anything }])),
      'jwt-auth': { schema: anything, consumer_schema: anything },
    },
  };

  it('an item that breaks its schema is found, where and why', async () => {
    const route = { ...anything, properties: { priority: { type: 'integer', maximum: 5 } } };
    const schema = await withSchemas({ ...lenient, main: { ...lenient.main, route } });
    const findings = await findingsIn({}, schema);
    expect(findings[0]).toMatch(/^routes\[order-events\]\/priority: must be <= 5/);
  });

  it('a plugin is held against its own schema, in a consumer against the consumer’s', async () => {
    const strict = { type: 'object', properties: {}, additionalProperties: false };
    const plugins = { ...lenient.plugins, 'jwt-auth': { schema: anything, consumer_schema: strict } };
    const findings = await findingsIn({}, await withSchemas({ ...lenient, plugins }));
    expect(findings.length).toBeGreaterThan(0);
    expect(findings.every((finding) => finding.startsWith('consumers[issuer_'))).toBe(true);
  });

  it('a plugin that APISIX does not know is found', async () => {
    const { cors, ...plugins } = lenient.plugins as Record<string, unknown>;
    expect(cors).toBeDefined();
    const findings = await findingsIn({}, await withSchemas({ ...lenient, plugins }));
    expect(findings).toEqual(['global_rules[every-request].plugins.cors: there is no schema for it']);
  });

  it('schemas that cannot be had are no validation: it says so', async () => {
    await expect(findingsIn({}, join(dir, 'absent.json'))).rejects.toThrow(SchemasUnavailable);
    await expect(findingsIn({}, await withSchemas({ main: 1 }))).rejects.toThrow(SchemasUnavailable);
  });
});
