import { Buffer } from 'node:buffer';
import { SchemaRefused } from '@parley/event-log';
import type { SchemaStore } from '@parley/event-log/tools';
import { expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { SchemaMapping } from './schema-mapping.ts';

/** A registry that numbers from `first`, and knows whatever is in `known` besides. */
function registry(
  first: number,
  known: readonly number[] = [],
): SchemaStore & { readonly subjects: string[] } {
  const subjects: string[] = [];
  return {
    subjects,
    register: (subject) => Promise.resolve(first + subjects.push(subject) - 1),
    fetch: (id) =>
      Promise.resolve(known.includes(id) || (id >= first && id < first + subjects.length) ? {} : undefined),
  };
}

const value = (id: number): Buffer => {
  const bytes = Buffer.from([0, 0, 0, 0, 0, 42]);
  bytes.writeUInt32BE(id, 1);
  return bytes;
};
const idOf = (bytes: Buffer | null): number | undefined => bytes?.readUInt32BE(1);
const schemas = { 3: { name: 'A', namespace: 'n' }, 10: { name: 'B' } };

it('gives every value the id that its schema has in the target, and leaves the rest of it alone', async () => {
  const store = registry(100);
  const mapping = await SchemaMapping.register(schemas, store);
  expect(store.subjects).toEqual(['n.A', 'B']);
  expect(mapping.renumbered).toEqual({ 3: 100, 10: 101 });
  const rewritten = await mapping.rewritten(value(10));
  expect(idOf(rewritten)).toBe(101);
  expect(rewritten?.at(-1)).toBe(42);
});

it('touches nothing where the ids are the same, and no value that is not in wire format', async () => {
  const mapping = await SchemaMapping.register({ 1: { name: 'A' } }, registry(1));
  for (const same of [value(1), null, Buffer.from([0, 1]), Buffer.from([9, 0, 0, 0, 1])])
    expect(await mapping.rewritten(same)).toBe(same);
});

it('an id that meant nothing means nothing in the target either, even where it would by chance', async () => {
  const mapping = await SchemaMapping.register(schemas, registry(100, [55, 0x7fffffff]));
  const unknownInBoth = value(77);
  expect(await mapping.rewritten(unknownInBoth)).toBe(unknownInBoth);
  expect(idOf(await mapping.rewritten(value(55)))).toBe(0x7ffffffe);
  expect(idOf(await mapping.rewritten(value(100)))).toBe(0x7ffffffe); // A's own id in the target
});

it('a schema that the registry refuses ends the import with its reason', async () => {
  const store: SchemaStore = {
    register: () => Promise.reject(new SchemaRefused('n.A: a field was dropped')),
    fetch: () => Promise.resolve(undefined),
  };
  await expect(SchemaMapping.register(schemas, store)).rejects.toMatchObject({ exitCode: exitCodes.failed });
});
