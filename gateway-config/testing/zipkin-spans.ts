import { BinaryReader } from '@bufbuild/protobuf/wire';

/** A span as Zipkin's protobuf has it (zipkin.proto, `Span`), as far as tests look at it; ids are hexadecimal. */
export interface Span {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind: string;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
}

const kinds = ['', 'CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER'];

/** Calls `fields` by the number of each field of a message; others are passed over. */
const readMessage = (
  bytes: Uint8Array,
  fields: Readonly<Record<number, (reader: BinaryReader) => void>>,
): void => {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const field = fields[number];
    if (field === undefined) reader.skip(type, number);
    else field(reader);
  }
};

const hex = (reader: BinaryReader): string => Buffer.from(reader.bytes()).toString('hex');

const spanOf = (bytes: Uint8Array): Span => {
  const ids: { traceId?: string; parentId?: string; id?: string } = {};
  let [kind, serviceName] = ['', ''];
  const tags: Record<string, string> = {};
  readMessage(bytes, {
    1: (reader) => (ids.traceId = hex(reader)),
    2: (reader) => (ids.parentId = hex(reader)),
    3: (reader) => (ids.id = hex(reader)),
    4: (reader) => (kind = kinds[reader.int32()] ?? ''),
    8: (reader) => {
      readMessage(reader.bytes(), { 1: (endpoint) => (serviceName = endpoint.string()) });
    },
    11: (reader) => {
      let [name, value] = ['', ''];
      readMessage(reader.bytes(), {
        1: (entry) => (name = entry.string()),
        2: (entry) => (value = entry.string()),
      });
      tags[name] = value;
    },
  });
  return { traceId: '', id: '', ...ids, kind, localEndpoint: { serviceName }, tags };
};

/** The spans of one report (`ListOfSpans`). */
export const spansOf = (bytes: Uint8Array): readonly Span[] => {
  const spans: Span[] = [];
  readMessage(bytes, { 1: (reader) => spans.push(spanOf(reader.bytes())) });
  return spans;
};
