import { describe, expect, it } from 'vitest';
import type { Contracts } from '../contract-files.ts';
import { checkAvro } from './avro.ts';

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly default?: unknown;
}
const colour = (symbols: readonly string[], more: object = {}) => ({
  type: 'enum',
  name: 'Colour',
  symbols,
  ...more,
});
/** A record whose time is `type`, read as `logicalType`. */
const line = (name: string, type: string, logicalType?: string) => ({
  type: 'record',
  name,
  fields: [{ name: 'time', type: { type, logicalType } }],
});
/** A record that contains itself. */
const tree = (type: string, logicalType?: string) => ({
  type: 'record',
  name: 'Tree',
  fields: [
    { name: 'children', type: { type: 'array', items: 'Tree' } },
    { name: 'time', type: { type, logicalType } },
  ],
});
const fields: readonly Field[] = [
  { name: 'id', type: { type: 'string', logicalType: 'uuid' } },
  { name: 'count', type: 'int' },
  { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
  { name: 'colour', type: colour(['RED', 'BLUE']) },
  { name: 'inner', type: { type: 'record', name: 'Inner', fields: [{ name: 'deep', type: 'string' }] } },
  { name: 'perhaps', type: ['null', line('Perhaps', 'long', 'timestamp-millis')], default: null },
  { name: 'lines', type: { type: 'array', items: line('Line', 'long', 'timestamp-millis') } },
  { name: 'byKey', type: { type: 'map', values: { type: 'long', logicalType: 'timestamp-millis' } } },
  { name: 'again', type: ['null', 'Line'], default: null }, // by name, as the second use of a type must be
  { name: 'tree', type: tree('long', 'timestamp-millis') },
];
const contracts = (version: string, own: readonly Field[] | undefined): Contracts => ({
  version,
  dir: '',
  events: new Map(
    own === undefined
      ? []
      : [['p.Happened', { type: 'record', name: 'Happened', namespace: 'p', fields: own }]],
  ),
  graphqlSdl: '',
  openApi: {},
  queueMessages: new Map(),
});
const withField = (name: string, type: unknown): readonly Field[] =>
  fields.map((field) => (field.name === name ? { ...field, type } : field));
const without = (name: string): readonly Field[] => fields.filter((field) => field.name !== name);
const check = (today: readonly Field[] | undefined, ...released: readonly (readonly Field[])[]) =>
  checkAvro(
    contracts('working tree', today),
    released.map((own, index) => contracts(`1.${index}.0`, own)),
  );

describe('an Avro schema', () => {
  it.each<[string, readonly Field[]]>([
    ['nothing', fields],
    ['a field with a default more', [...fields, { name: 'more', type: 'string', default: '' }]],
    ['an optional field more', [...fields, { name: 'more', type: ['null', 'string'], default: null }]],
  ])('may change by %s', (_what, today) => {
    expect(check(today, fields).findings).toEqual([]);
  });

  it.each<[string, readonly Field[], readonly Field[], string, string]>([
    [
      'an enum symbol less, although a default takes its place',
      [{ name: 'colour', type: colour(['RED', 'BLUE'], { default: 'RED' }) }],
      [{ name: 'colour', type: colour(['RED'], { default: 'RED' }) }],
      'avro/enum-symbol-removed',
      'p.Happened.colour may have been BLUE',
    ],
    [
      'an enum without its default',
      [{ name: 'colour', type: colour(['RED', 'BLUE'], { default: 'RED' }) }],
      [{ name: 'colour', type: colour(['RED', 'BLUE']) }],
      'avro/enum-default-removed',
      'p.Happened.colour had the default "RED"',
    ],
    [
      'an enum with another default',
      [{ name: 'colour', type: colour(['RED', 'BLUE'], { default: 'RED' }) }],
      [{ name: 'colour', type: colour(['RED', 'BLUE'], { default: 'BLUE' }) }],
      'avro/enum-default-changed',
      'p.Happened.colour had the default "RED" and has "BLUE"',
    ],
    [
      'another default of a field',
      [{ name: 'colour', type: colour(['RED', 'BLUE']), default: 'RED' }],
      [{ name: 'colour', type: colour(['RED', 'BLUE']), default: 'BLUE' }],
      'avro/default-changed',
      'p.Happened.colour had the default "RED" and has "BLUE"',
    ],
  ])('changes its meaning by %s', (_what, released, today, rule, named) => {
    const found = check(today, released).findings.find((finding) => finding.rule === rule);
    expect(found?.broke).toContain(named);
  });

  it.each<[string, readonly Field[], string, string]>([
    [
      'a field without default more',
      [...fields, { name: 'more', type: 'string' }],
      'avro/backward',
      'p.Happened.more',
    ],
    ['a field less', without('count'), 'avro/forward', 'p.Happened.count'],
    [
      'a field by another name',
      [...without('count'), { name: 'total', type: 'int' }],
      'avro/backward',
      'p.Happened.total',
    ],
    ['a narrower type', withField('at', 'int'), 'avro/backward', 'p.Happened.at'],
    ['a wider type', withField('count', 'long'), 'avro/forward', 'p.Happened.count'],
    ['another type', withField('count', 'string'), 'avro/backward', 'p.Happened.count'],
    ['a symbol less', withField('colour', colour(['RED'])), 'avro/backward', 'p.Happened.colour may be BLUE'],
    [
      'a symbol more',
      withField('colour', colour(['RED', 'BLUE', 'GREEN'])),
      'avro/forward',
      'p.Happened.colour may be GREEN',
    ],
    [
      'a change inside a nested record',
      withField('inner', { type: 'record', name: 'Inner', fields: [{ name: 'deep', type: 'int' }] }),
      'avro/backward',
      'p.Happened.inner.deep',
    ],
    ['another meaning of the same bytes', withField('at', 'long'), 'avro/logical-type', 'p.Happened.at'],
    [
      'another type inside a nullable record',
      withField('perhaps', ['null', line('Perhaps', 'string')]),
      'avro/backward',
      'p.Happened.perhaps.time is written as long',
    ],
    [
      'another meaning inside a nullable record',
      withField('perhaps', ['null', line('Perhaps', 'long')]),
      'avro/logical-type',
      'p.Happened.perhaps.time had logical type timestamp-millis',
    ],
    [
      'another branch of a union',
      withField('perhaps', ['null', 'string', line('Perhaps', 'long', 'timestamp-millis')]),
      'avro/forward',
      'p.Happened.perhaps may be written as "string"',
    ],
    [
      'another meaning of the values of a map',
      withField('byKey', { type: 'map', values: { type: 'long', logicalType: 'timestamp-micros' } }),
      'avro/logical-type',
      'p.Happened.byKey{} had logical type timestamp-millis and has timestamp-micros',
    ],
    [
      'another type inside a record that contains itself',
      withField('tree', tree('string')),
      'avro/forward',
      'p.Happened.tree.time',
    ],
    [
      'another meaning inside a record that contains itself',
      withField('tree', tree('long', 'local-timestamp-millis')),
      'avro/logical-type',
      'p.Happened.tree.time',
    ],
  ])('breaks by %s, which names the field', (_what, today, rule, named) => {
    const { findings } = check(today, fields);
    const found = findings.find((finding) => finding.rule === rule);
    expect(found?.broke).toContain(named);
    expect(found?.versions).toEqual({ released: '1.0.0', current: 'working tree' });
    for (const { broke } of findings) expect(broke).toContain(named.split(' ')[0]?.replace(/total$/, ''));
  });

  it.each<[string, string, string | undefined, string]>([
    ['another type', 'string', undefined, 'avro/backward'],
    ['another meaning', 'long', undefined, 'avro/logical-type'],
  ])("breaks by %s inside an array's record, at each use of that record", (_what, type, logical, rule) => {
    const today = withField('lines', { type: 'array', items: line('Line', type, logical) });
    const found = check(today, fields).findings.filter((finding) => finding.rule === rule);
    expect(found.map(({ broke }) => /p\.Happened\.\S+/.exec(broke)?.[0])).toEqual([
      'p.Happened.lines[].time',
      'p.Happened.again.time',
    ]);
  });

  it('may make a field nullable only where old readers can read it, and its meaning stays compared', () => {
    const nullable = withField('at', ['null', { type: 'long', logicalType: 'timestamp-micros' }]);
    const broken = check(nullable, fields).findings.map(({ rule, broke }) => `${rule} ${broke}`);
    expect(broken).toEqual([
      expect.stringMatching(/^avro\/forward .*p\.Happened\.at may be written as "null"/),
      'avro/logical-type p.Happened.at had logical type timestamp-millis and has timestamp-micros',
    ]);
  });

  it('may not move the point of a decimal', () => {
    const money = (scale: number) => [
      { name: 'm', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale } },
    ];
    expect(check(money(2), money(2)).findings).toEqual([]);
    expect(check(money(3), money(2)).findings).toMatchObject([
      { broke: 'p.Happened.m had logical type decimal of scale 2 and has decimal of scale 3' },
    ]);
  });

  it('breaks when the event is gone', () => {
    expect(check(undefined, fields).findings[0]).toMatchObject({
      contract: 'avro p.Happened',
      rule: 'avro/removed',
    });
  });

  it('is compared with every release, not with the last one only', () => {
    const more = [...fields, { name: 'more', type: 'string', default: '' }];
    const moreNow = [...fields, { name: 'more', type: 'string' }];
    // Fits the latest release, which has the field; the one before does not send it.
    const { findings, compared } = check(moreNow, fields, more);
    expect(compared).toBe(2);
    expect(findings.map(({ versions }) => versions.released)).toEqual(['1.0.0']);
  });

  it('may send a new symbol to an enum that has a default', () => {
    const own = withField('colour', colour(['RED', 'BLUE'], { default: 'RED' }));
    const more = withField('colour', colour(['RED', 'BLUE', 'GREEN'], { default: 'RED' }));
    expect(check(more, own).findings).toEqual([]);
  });
});
