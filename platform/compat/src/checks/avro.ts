/**
 * Avro, FULL_TRANSITIVE: today's schema reads what every release wrote, and every released schema reads what is
 * written today. avsc's resolvers decide; the walk over both schemas only finds out which field it is.
 */
import avsc, { type Schema } from 'avsc';
import type { Contracts } from '../contract-files.ts';
import { isObject, type JsonSchemaObject } from '../json-schema/accepts.ts';
import { CURRENT, type CheckResult, type Finding } from '../report.ts';
import {
  type AvroSchema,
  avroSchema,
  branchesOf,
  branchKey,
  fieldsOf,
  type Pair,
  pairsBelow,
  resolved,
  standalone,
} from './avro-walk.ts';

const typeOf = (schema: unknown): avsc.Type => avsc.Type.forSchema(structuredClone(schema) as Schema); // data until avsc has read it

/** Why `reader` cannot read what `writer` wrote, in avsc's words; undefined when it can. */
function refusal(writer: unknown, reader: unknown): string | undefined {
  try {
    typeOf(reader).createResolver(typeOf(writer));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const symbolsOf = (schema: unknown): readonly unknown[] | undefined =>
  isObject(schema) && schema.type === 'enum' && Array.isArray(schema.symbols) ? schema.symbols : undefined;

const show = (type: unknown): string => {
  if (Array.isArray(type)) return `one of ${type.map(show).join(', ')}`;
  if (!isObject(type)) return JSON.stringify(type);
  const { name, logicalType } = type;
  return [type.type, name, logicalType].filter((part) => typeof part === 'string').join(' ');
};

/** A walk over two schemas: `writer` and `reader`, or released and today's. */
interface Walk {
  readonly before: AvroSchema;
  readonly after: AvroSchema;
  /** Pairs of records that the walk is inside of: a type may contain itself. */
  readonly within: ReadonlySet<string>;
}

const walkOf = (before: AvroSchema, after: AvroSchema): Walk => ({ before, after, within: new Set() });

/** Which two records meet at a place; undefined where they are none. */
const recordsAt = ({ before, after }: Pair): string | undefined =>
  isObject(before) && isObject(after) && before.type === 'record'
    ? `${String(before.name)} ${String(after.name)}`
    : undefined;

/** What a walk does at the places below `pair`: those to visit, and whether it is inside of one of them already. */
function below(
  walk: Walk,
  pair: Pair,
): { readonly inside: Walk; readonly next: readonly Pair[]; readonly isRound: boolean } {
  const records = recordsAt(pair);
  const within = records === undefined ? walk.within : new Set([...walk.within, records]);
  const all = pairsBelow(pair).map(({ before, after, path }) => ({
    before: resolved(before, walk.before),
    after: resolved(after, walk.after),
    path,
  }));
  const next = all.filter((place) => !within.has(recordsAt(place) ?? ''));
  return { inside: { ...walk, within }, next, isRound: next.length < all.length };
}

/** What of an enum, of a record's fields or of a union's branches the reader has no answer to, at this place itself. */
function ownRefusals({ before: writer, after: reader, path }: Pair, walk: Walk): readonly string[] {
  if (Array.isArray(writer) || Array.isArray(reader)) {
    const read = branchesOf(reader).map(branchKey);
    return branchesOf(writer)
      .filter((branch) => !read.includes(branchKey(branch)))
      .filter(
        (branch) => refusal(standalone(branch, walk.before), standalone(reader, walk.after)) !== undefined,
      )
      .map((branch) => `${path} may be written as ${show(branch)} and is read as ${show(reader)}`);
  }
  const [sent, known] = [symbolsOf(writer), symbolsOf(reader)];
  if (sent !== undefined && known !== undefined) {
    const unknown = sent.filter((symbol) => !known.includes(symbol));
    if (unknown.length > 0)
      return [`${path} may be ${unknown.join(', ')}, which the reader's enum does not have (nor a default)`];
  }
  const written = new Set(fieldsOf(writer).map(({ name }) => name));
  return fieldsOf(reader)
    .filter(({ name, hasDefault }) => !hasDefault && !written.has(name))
    .map(({ name }) => `${path}.${name} has no default, and the writer does not send it`);
}

/** Each place where the reader (`after`) refuses the writer (`before`): path and reason. */
function refusalsAt(walk: Walk, pair: Pair): readonly string[] {
  const { before, after, path } = pair;
  const reason = refusal(standalone(before, walk.before), standalone(after, walk.after));
  if (reason === undefined) return [];
  const { inside, next, isRound } = below(walk, pair);
  const found = [...ownRefusals(pair, walk), ...next.flatMap((place) => refusalsAt(inside, place))];
  if (found.length > 0 || isRound) return found; // what lies round the corner is told where the type begins
  return [`${path} is written as ${show(before)} and read as ${show(after)}: ${reason}`];
}

/** What bytes mean beyond their type. avsc compares none of it. */
const meaningOf = (type: unknown): string => {
  if (!isObject(type) || typeof type.logicalType !== 'string') return 'none';
  if (type.logicalType !== 'decimal') return type.logicalType;
  return `decimal of scale ${typeof type.scale === 'number' ? type.scale : 0}`;
};

/** A place that stays readable and means something else. */
interface Meaning {
  readonly rule: string;
  readonly at: string;
}

/** What of an enum is read as something else, or as nothing: symbols and the default stand for each other. */
function enumMeanings({ before, after, path }: Pair): readonly Meaning[] {
  const [was, is] = [symbolsOf(before), symbolsOf(after)];
  if (was === undefined || is === undefined || !isObject(before) || !isObject(after)) return [];
  const gone = was.filter((symbol) => !is.includes(symbol));
  const removed =
    gone.length === 0
      ? []
      : [{ rule: 'enum-symbol-removed', at: `${path} may have been ${gone.join(', ')}` }];
  if (before.default === undefined || before.default === after.default) return removed;
  const [first, now] = [show(before.default), show(after.default)];
  const changed =
    after.default === undefined
      ? { rule: 'enum-default-removed', at: `${path} had the default ${first} for symbols of newer writers` }
      : { rule: 'enum-default-changed', at: `${path} had the default ${first} and has ${now}` };
  return [...removed, changed];
}

/** Fields of a record whose default is another one: events without them mean something else now. */
const defaultMeanings = ({ before, after, path }: Pair): readonly Meaning[] =>
  fieldsOf(before).flatMap((field) => {
    const same = fieldsOf(after).find(({ name, hasDefault }) => name === field.name && hasDefault);
    const [was, is] = [JSON.stringify(field.default), JSON.stringify(same?.default)];
    return !field.hasDefault || same === undefined || was === is
      ? []
      : [{ rule: 'default-changed', at: `${path}.${field.name} had the default ${was} and has ${is}` }];
  });

/** Places whose bytes stay readable while they mean something else: another logical type, symbol or default. */
function meaningsAt(walk: Walk, pair: Pair): readonly Meaning[] {
  const { before, after, path } = pair;
  const isUnion = Array.isArray(before) || Array.isArray(after); // its branches are compared instead
  const [was, is] = [meaningOf(before), meaningOf(after)];
  const own =
    isUnion || was === is
      ? []
      : [{ rule: 'logical-type', at: `${path} had logical type ${was} and has ${is}` }];
  const { inside, next } = below(walk, pair);
  return [
    ...own,
    ...enumMeanings(pair),
    ...defaultMeanings(pair),
    ...next.flatMap((place) => meaningsAt(inside, place)),
  ];
}

const remedy =
  'Keep the field as it was; add a field with a default instead, and an upcaster where the default is not the truth.';

function compare(
  name: string,
  released: JsonSchemaObject,
  today: JsonSchemaObject,
  version: string,
): Finding[] {
  const finding = (rule: string, broke: string): Finding => ({
    contract: `avro ${name}`,
    rule,
    versions: { released: version, current: CURRENT },
    broke,
    remedy,
  });
  const [before, after] = [avroSchema(released), avroSchema(today)];
  const forth = { before: before.root, after: after.root, path: name };
  const back = { before: after.root, after: before.root, path: name };
  return [
    ...refusalsAt(walkOf(before, after), forth).map((at) =>
      finding('avro/backward', `today's reader cannot read what ${version} wrote: ${at}`),
    ),
    ...refusalsAt(walkOf(after, before), back).map((at) =>
      finding('avro/forward', `a reader of ${version} cannot read what is written today: ${at}`),
    ),
    ...meaningsAt(walkOf(before, after), forth).map(({ rule, at }) => finding(`avro/${rule}`, at)),
  ];
}

/** Every event of every release against today's, both ways. */
export function checkAvro(current: Contracts, releases: readonly Contracts[]): CheckResult {
  let compared = 0;
  const findings = releases.flatMap((release) =>
    [...release.events].flatMap(([name, released]): Finding[] => {
      compared++;
      const today = current.events.get(name);
      if (today !== undefined) return compare(name, released, today, release.version);
      return [
        {
          contract: `avro ${name}`,
          rule: 'avro/removed',
          versions: { released: release.version, current: CURRENT },
          broke: `${name} was released in ${release.version} and is gone: the log may hold it for ever`,
          remedy: 'Restore its schema. A fact that is no longer made must stay readable.',
        },
      ];
    }),
  );
  return { check: 'avro', compared, findings };
}
