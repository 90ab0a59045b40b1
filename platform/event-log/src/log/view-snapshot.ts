import type { SnapshotFileWriter } from '../snapshot/file-writer.ts';
import type { LayeredMap } from '../snapshot/layered-map.ts';
import type { FrozenPart } from '../snapshot/part.ts';
import { encodePostings, Postings } from '../snapshot/postings.ts';
import type { KeyList, Table } from '../snapshot/table.ts';
import { encodeValue } from '../snapshot/value-codec.ts';

interface IndexOf<Row> {
  readonly name: string;
  readonly valueOf: (row: Row) => string | undefined;
  readonly base: Table<KeyList> | undefined;
}

/**
 * Freezes the rows of a view. Their indexes are not frozen: they follow from the rows, and for a row that is copied from
 * an older snapshot, from the index of that one.
 */
export function freezeView<Row>(
  view: string,
  rows: LayeredMap<Row>,
  indexes: readonly IndexOf<Row>[],
): FrozenPart {
  const frozen = rows.freeze();
  return {
    thaw: (breather) => rows.thaw(breather),
    write: async (writer) => {
      const collected: { index: IndexOf<Row>; copied: Copied; postings: Map<string, number[]> }[] = [];
      for (const index of indexes)
        collected.push({
          index,
          copied: await valuesByRow(index.base, frozen.base, writer),
          postings: new Map(),
        });
      let number = 0;
      await writer.table(`rows ${view}`, frozen, encodeValue, (row, baseRow) => {
        for (const { index, copied, postings } of collected) {
          const value = row === undefined ? copied[baseRow] : index.valueOf(row);
          if (value === undefined) continue;
          const under = postings.get(value);
          if (under === undefined) postings.set(value, [number]);
          else under.push(number);
        }
        number++;
      });
      for (const { index, postings } of collected)
        await writer.table(
          `index ${view} ${index.name}`,
          { base: undefined, changes: postings },
          encodePostings,
        );
    },
  };
}

/** An index the other way round: the value of each row of the older snapshot. */
type Copied = readonly (string | undefined)[];

async function valuesByRow(
  index: Table<KeyList> | undefined,
  rows: Table<unknown> | undefined,
  { breather }: SnapshotFileWriter,
): Promise<Copied> {
  const values = new Array<string | undefined>(rows?.length ?? 0).fill(undefined);
  for (let number = 0; index !== undefined && number < index.length; number++) {
    const value = index.keyAt(number);
    const postings = index.valueAt(number);
    for (let at = 0; postings instanceof Postings && at < postings.length; at++) {
      values[postings.rowAt(at)] = value;
      if ((at & 0xff) === 0 && breather.due) await breather.pause();
    }
  }
  return values;
}
