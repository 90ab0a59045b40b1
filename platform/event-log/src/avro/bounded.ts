/**
 * Keeps what is read in proportion to its bytes, whoever wrote the schema and whatever the bytes are. avsc believes the
 * number of items that a list claims and reads on behind the end: a record of 20 bytes may claim a billion of them and
 * end every process that reads it.
 */
import type { Buffer } from 'node:buffer';
import avsc, { type Type } from 'avsc';

const { types } = avsc;

/** Deepest nesting of types. What is declared here has three or four. */
const DEPTH_MAX = 64;

type Repeated = InstanceType<typeof types.ArrayType> | InstanceType<typeof types.MapType>;
type Union = InstanceType<typeof types.UnwrappedUnionType> | InstanceType<typeof types.WrappedUnionType>;

const isRepeated = (type: Type): type is Repeated =>
  type instanceof types.ArrayType || type instanceof types.MapType;
const isUnion = (type: Type): type is Union =>
  type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType;
const itemOf = (type: Repeated): Type =>
  type instanceof types.ArrayType ? type.itemsType : (type.valuesType as Type); // avsc declares it as any

/** The types that a type is made of. */
function partsOf(type: Type): readonly Type[] {
  if (type instanceof types.RecordType) return type.fields.map((field) => field.type);
  if (isRepeated(type)) return [itemOf(type)];
  return isUnion(type) ? type.types : [];
}

/** Whether every value takes at least a byte. */
function takesBytes(type: Type): boolean {
  if (type instanceof types.NullType) return false;
  if (type instanceof types.FixedType) return type.size > 0;
  return !(type instanceof types.RecordType) || type.fields.length > 0;
}

/** Infinite for a type that is in itself, or of which a part takes no bytes. A union's branch has its number in front. */
function depthOf(type: Type, seen: Map<Type, number>): number {
  const known = seen.get(type);
  if (known !== undefined) return known;
  seen.set(type, Number.POSITIVE_INFINITY); // met again before it is left: it is in itself
  let depth = 1;
  for (const part of partsOf(type)) {
    const isFree = !isUnion(type) && !takesBytes(part);
    depth = Math.max(depth, isFree ? Number.POSITIVE_INFINITY : 1 + depthOf(part, seen));
  }
  seen.set(type, depth);
  return depth;
}

/**
 * True when no value of it is nested deeper than the schema is, and each part of a value takes a byte. A type that
 * contains itself nests as deep as the bytes say: where the stack ends differs from process to process, and with it the
 * verdict. No schema of an event needs either.
 */
export const isBounded = (type: Type): boolean => depthOf(type, new Map()) <= DEPTH_MAX;

/** True when its values may have any number of parts. */
export function hasRepeats(type: Type, seen = new Set<Type>()): boolean {
  if (seen.has(type)) return false;
  seen.add(type);
  return isRepeated(type) || partsOf(type).some((part) => hasRepeats(part, seen));
}

/** Goes through the bytes of a value without making anything of them. */
class Walk {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** @throws RangeError where the bytes end too early or a list has more items than bytes are left for. */
  through(type: Type): void {
    if (type instanceof types.RecordType) for (const field of type.fields) this.through(field.type);
    else if (isRepeated(type)) this.#items(type);
    else if (isUnion(type)) this.#branch(type);
    else if (type instanceof types.FixedType) this.#skip(type.size);
    else if (type instanceof types.BooleanType) this.#skip(1);
    else if (type instanceof types.FloatType) this.#skip(4);
    else if (type instanceof types.DoubleType) this.#skip(8);
    else if (type instanceof types.BytesType || type instanceof types.StringType) this.#skip(this.#long());
    else if (!(type instanceof types.NullType)) this.#long();
  }

  #items(type: Repeated): void {
    for (let count = this.#long(); count !== 0; count = this.#long()) {
      if (count < 0) this.#long(); // the block's bytes
      const items = Math.abs(count);
      if (items > this.#bytes.length - this.#at) throw new RangeError('a list is longer than its bytes');
      for (let item = 0; item < items; item++) {
        if (type instanceof types.MapType) this.#skip(this.#long());
        this.through(itemOf(type));
      }
    }
  }

  #branch(type: Union): void {
    const branch = type.types[this.#long()];
    if (branch === undefined) throw new RangeError('a union has no such branch');
    this.through(branch);
  }

  #long(): number {
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError('the bytes end too early');
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      unit *= 0x80;
    }
  }

  #skip(length: number): void {
    if (length < 0 || length > this.#bytes.length - this.#at) throw new RangeError('the bytes end too early');
    this.#at += length;
  }
}

/**
 * Returns when the bytes have as many parts as they claim. `type` must be bounded.
 * @throws RangeError when they do not
 */
export const walkThrough = (type: Type, bytes: Buffer, at: number): void => {
  new Walk(bytes, at).through(type);
};
