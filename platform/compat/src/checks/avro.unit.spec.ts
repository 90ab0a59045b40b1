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
const fields: readonly Field[] = [
  { name: 'id', type: { type: 'string', logicalType: 'uuid' } },
  { name: 'count', type: 'int' },
  { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
  { name: 'colour', type: colour(['RED', 'BLUE']) },
  { name: 'inner', type: { type: 'record', name: 'Inner', fields: [{ name: 'deep', type: 'string' }] } },
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
  fields.map((field) => (field.name === name ? { name, type } : field));
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
  ])('breaks by %s, which names the field', (_what, today, rule, named) => {
    const { findings } = check(today, fields);
    const found = findings.find((finding) => finding.rule === rule);
    expect(found?.broke).toContain(named);
    expect(found?.versions).toEqual({ released: '1.0.0', current: 'working tree' });
    for (const { broke } of findings) expect(broke).toContain(named.split(' ')[0]?.replace(/total$/, ''));
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
