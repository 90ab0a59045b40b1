import { v5 } from 'uuid';

/** Parley's own UUIDv5 namespace; a contract, since derived ids are compared across processes and releases. */
const NAMESPACE = 'b6f1a1de-5c0a-5d43-9d0e-0f5a3f0c7c11';

/**
 * A UUIDv5 of the given parts: the same parts give the same id in every process, for ever. Parts are separated by an
 * unambiguous length prefix, so `('a', 'bc')` and `('ab', 'c')` differ.
 */
export const deriveId = (...parts: readonly string[]): string =>
  v5(parts.map((part) => `${part.length}:${part}`).join(''), NAMESPACE);

/** The id of the event at `index` of a commit. */
export const eventIdOf = (commitId: string, index: number): string => v5(String(index), commitId);
