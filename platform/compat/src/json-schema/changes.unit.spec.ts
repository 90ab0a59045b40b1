import { describe, expect, it } from 'vitest';
import type { JsonSchema, JsonSchemaObject } from './accepts.ts';
import { breakingChanges, type Role } from './changes.ts';

const object = (properties: JsonSchemaObject, required: readonly string[] = []): JsonSchemaObject => ({
  type: 'object',
  properties,
  required,
});
const text = { type: 'string' };
const changes = (role: Role, before: JsonSchema, after: JsonSchema): readonly string[] => {
  const rooted = (schema: JsonSchema) => ({ schema, root: typeof schema === 'boolean' ? {} : schema });
  return breakingChanges(rooted(before), rooted(after), role).map(({ path, rule }) => `${path} ${rule}`);
};

/** What changed, and what it breaks for each role. */
const cases: readonly (readonly [
  what: string,
  before: JsonSchema,
  after: JsonSchema,
  broken: Partial<Record<Role, string>>,
])[] = [
  ['nothing', object({ a: text }, ['a']), object({ a: text }, ['a']), {}],
  ['prose', { type: 'string', description: 'a' }, { type: 'string', description: 'b', default: '' }, {}],
  ['an optional property more', object({}), object({ a: text }), {}],
  [
    'a required property more',
    object({}),
    object({ a: text }, ['a']),
    { request: '.a required', message: '.a required' },
  ],
  [
    'a property that becomes required',
    object({ a: text }),
    object({ a: text }, ['a']),
    { request: '.a required', message: '.a required' },
  ],
  [
    'a property that becomes optional',
    object({ a: text }, ['a']),
    object({ a: text }),
    { response: '.a required', message: '.a required' },
  ],
  [
    'a property that is gone',
    object({ a: text }, ['a']),
    object({}),
    { request: '.a property-removed', response: '.a property-removed', message: '.a property-removed' },
  ],
  [
    'an optional property that is gone',
    object({ a: text }),
    object({}),
    { request: '.a property-removed', response: '.a property-removed', message: '.a property-removed' },
  ],
  [
    'another type',
    object({ a: text }),
    object({ a: { type: 'integer' } }),
    { request: '.a type', response: '.a type', message: '.a type' },
  ],
  [
    'a number where an integer was',
    { type: 'integer' },
    { type: 'number' },
    { response: ' type', message: ' type' },
  ],
  ['null as well', { type: 'string' }, { type: ['string', 'null'] }, { response: ' type', message: ' type' }],
  [
    'a value more',
    { type: 'string', enum: ['A'] },
    { type: 'string', enum: ['A', 'B'] },
    { response: ' enum', message: ' enum' },
  ],
  [
    'a value less',
    { type: 'string', enum: ['A', 'B'] },
    { type: 'string', enum: ['A'] },
    { request: ' enum', message: ' enum' },
  ],
  [
    'a value more in a list that may grow',
    { type: 'string', 'x-extensible-enum': ['A'] },
    { type: 'string', 'x-extensible-enum': ['A', 'B'] },
    {},
  ],
  [
    'a value less in a list that may grow',
    { type: 'string', 'x-extensible-enum': ['A', 'B'] },
    { type: 'string', 'x-extensible-enum': ['A'] },
    { request: ' value-removed', response: ' value-removed', message: ' value-removed' },
  ],
  [
    'a smaller maximum',
    { type: 'integer', maximum: 100 },
    { type: 'integer', maximum: 50 },
    { request: ' maximum', message: ' maximum' },
  ],
  [
    'a larger maximum',
    { type: 'integer', maximum: 50 },
    { type: 'integer', maximum: 100 },
    { response: ' maximum', message: ' maximum' },
  ],
  [
    'a larger minimum',
    { type: 'integer', minimum: 1 },
    { type: 'integer', minimum: 2 },
    { request: ' minimum', message: ' minimum' },
  ],
  [
    'no minimum any more',
    { type: 'integer', minimum: 1 },
    { type: 'integer' },
    { response: ' minimum', message: ' minimum' },
  ],
  [
    'a shorter text',
    { type: 'string', maxLength: 9 },
    { type: 'string', maxLength: 5 },
    { request: ' maxLength', message: ' maxLength' },
  ],
  [
    'a pattern more',
    { type: 'string' },
    { type: 'string', pattern: '^a' },
    { request: ' pattern', message: ' pattern' },
  ],
  [
    'another format',
    { type: 'string', format: 'uuid' },
    { type: 'string', format: 'date-time' },
    { request: ' format', response: ' format', message: ' format' },
  ],
  [
    'a change inside a list',
    { type: 'array', items: object({ a: text }, ['a']) },
    { type: 'array', items: object({ a: { type: 'boolean' } }, ['a']) },
    { request: '[].a type', response: '[].a type', message: '[].a type' },
  ],
  [
    'no further properties any more',
    object({ a: text }),
    { ...object({ a: text }), additionalProperties: false },
    { request: ' additionalProperties', message: ' additionalProperties' },
  ],
  [
    'a property more, where a reader refuses what it does not know',
    { ...object({}), additionalProperties: false },
    { ...object({ a: text }), additionalProperties: false },
    { response: '.a unknown-property', message: '.a unknown-property' },
  ],
  [
    'an alternative more',
    { anyOf: [text] },
    { anyOf: [text, { type: 'integer' }] },
    { response: ' alternatives', message: ' alternatives' },
  ],
  [
    'a keyword that cannot be compared',
    { type: 'array', uniqueItems: false },
    { type: 'array', uniqueItems: true },
    {
      request: ' not-comparable(uniqueItems)',
      response: ' not-comparable(uniqueItems)',
      message: ' not-comparable(uniqueItems)',
    },
  ],
];

describe.each(['request', 'response', 'message'] as const)('in a %s', (role) => {
  it.each(cases)('%s', (_what, before, after, broken) => {
    const found = changes(role, before, after);
    const expected = broken[role];
    if (expected === undefined) expect(found).toEqual([]);
    else expect(found).toContain(expected);
  });
});

describe('a comparison', () => {
  it('follows references, each in its own document', () => {
    const before = { $ref: '#/$defs/A', $defs: { A: object({ a: text }) } };
    const after = { $ref: '#/$defs/B', $defs: { B: object({ a: { type: 'integer' } }) } };
    expect(changes('request', before, after)).toEqual(['.a type']);
    expect(() => changes('request', before, { $ref: '#/$defs/C' })).toThrow('#/$defs/C points to nothing');
  });

  it('ends on a schema that contains itself', () => {
    const tree = (leaf: JsonSchemaObject) => ({
      $ref: '#/$defs/Tree',
      $defs: { Tree: object({ leaf, child: { $ref: '#/$defs/Tree' } }) },
    });
    expect(changes('request', tree(text), tree(text))).toEqual([]);
    expect(changes('request', tree(text), tree({ type: 'integer' }))).toContain('.child.leaf type');
  });

  it('says a lost property once', () => {
    expect(changes('message', object({ a: text }, ['a']), object({}))).toEqual(['.a property-removed']);
  });
});
