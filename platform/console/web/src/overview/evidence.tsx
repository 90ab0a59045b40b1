import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, type ReactNode } from 'react';
import type { LedgerRow, LedgerState } from '../../../src/api.ts';
import { dateTime } from '../format.ts';
import { hrefWith, Link, navigate, useLocation } from '../location.tsx';
import { ask, usePolled } from '../polled.ts';
import { Empty, Status } from '../status.tsx';

const INTERVAL_MS = 10_000;
const ROW_PX = 38;
const OVERSCAN_ROWS = 8;

const groups = [
  { prefix: 'US', label: 'User stories' },
  { prefix: 'FR', label: 'Functional requirements' },
  { prefix: 'SC', label: 'Success criteria' },
  { prefix: 'EC', label: 'Edge cases' },
] as const;

const verdicts = [
  { key: undefined, label: 'All' },
  { key: 'open', label: 'Not proven' },
  { key: 'proven', label: 'Proven' },
] as const;

const isShown = (row: LedgerRow, verdict: string | null, search: string): boolean =>
  (verdict === null || (row.verdict === 'proven') === (verdict === 'proven')) &&
  `${row.id} ${row.text}`.toLowerCase().includes(search.toLowerCase());

/** One bar a group, as long as it has rows: what of it is proven is filled, and said in figures. */
const Groups = ({ rows }: { readonly rows: readonly LedgerRow[] }): ReactNode => (
  <dl className="groups">
    {groups.map(({ prefix, label }) => {
      const all = rows.filter(({ id }) => id.startsWith(prefix));
      const proven = all.filter(({ verdict }) => verdict === 'proven').length;
      return (
        <div key={prefix}>
          <dt>{label}</dt>
          <dd>
            <meter min={0} max={Math.max(1, all.length)} value={proven} aria-label={label} />
            <span className="mono">
              {proven}/{all.length}
            </span>
          </dd>
        </div>
      );
    })}
  </dl>
);

const Proofs = ({ row }: { readonly row: LedgerRow }): ReactNode => (
  <div className="proofs">
    {row.reason === undefined ? null : <p>{row.reason}</p>}
    {row.proofs.map(({ title, file, durationMs, evidence }) => (
      <div key={`${file} ${title}`}>
        <p>{title}</p>
        <p className="detail mono">
          {file} · {durationMs.toFixed(0)} ms
        </p>
        {evidence.map((data) => {
          const text = JSON.stringify(data, undefined, 1);
          return <pre key={text}>{text}</pre>;
        })}
      </div>
    ))}
  </div>
);

const Row = ({ row, isOpen }: { readonly row: LedgerRow; readonly isOpen: boolean }): ReactNode => {
  const isProven = row.verdict === 'proven';
  return (
    <>
      <Link className="row" href={hrefWith({ row: isOpen ? undefined : row.id })} aria-expanded={isOpen}>
        <span className="mono id">{row.id}</span>
        <Status tone={isProven ? 'good' : 'quiet'}>{row.verdict}</Status>
        <span className="text">{row.text}</span>
        <span className="mono count">
          {row.proofs.length === 0
            ? ''
            : `${row.proofs.length} ${row.proofs.length === 1 ? 'test' : 'tests'}`}
        </span>
      </Link>
      {isOpen ? <Proofs row={row} /> : null}
    </>
  );
};

const Rows = ({
  rows,
  open,
}: {
  readonly rows: readonly LedgerRow[];
  readonly open: string | null;
}): ReactNode => {
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN_ROWS,
    getItemKey: (index) => rows[index]?.id ?? index,
  });
  const first = useRef(open); // a link to a row brings it into sight, a click leaves the list where it is
  useEffect(() => {
    const index = rows.findIndex(({ id }) => id === first.current);
    if (index >= 0) virtual.scrollToIndex(index, { align: 'start' });
    first.current = null;
  }, [rows, virtual]);
  return (
    <div className="rows" ref={scroll} tabIndex={-1}>
      <ol style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ key, index, start }) => {
          const row = rows[index];
          return row === undefined ? null : (
            <li
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              style={{ transform: `translateY(${start}px)` }}
            >
              <Row row={row} isOpen={row.id === open} />
            </li>
          );
        })}
      </ol>
    </div>
  );
};

/** The rows of the last run of the end-to-end tests, each with its evidence. */
export const Evidence = (): ReactNode => {
  const { params } = useLocation();
  const { value, error } = usePolled(() => ask<LedgerState>('/api/ledger'), INTERVAL_MS, 'ledger');
  if (value === undefined || value.kind === 'none')
    return (
      <section>
        <h2>Evidence</h2>
        <Empty title={error ?? (value === undefined ? 'Reading the ledger …' : 'No run yet')}>
          Prove all of it, on a stack of its own: <code>npm test</code>
        </Empty>
      </section>
    );
  const { ledger, writtenAtMs } = value;
  const [verdict, search] = [params.get('verdict'), params.get('q') ?? ''];
  const rows = ledger.rows.filter((row) => isShown(row, verdict, search));
  const { passed, failed, skipped } = ledger.tests;
  return (
    <section>
      <div className="heading">
        <h2>
          {ledger.proven} of {ledger.total} proven
        </h2>
        <span className="hint">
          {passed} tests passed, {failed} failed, {skipped} skipped · {dateTime(writtenAtMs)}
        </span>
      </div>
      <Groups rows={ledger.rows} />
      <div className="filters">
        <div className="tabs" role="group" aria-label="Verdict">
          {verdicts.map(({ key, label }) => (
            <Link
              key={label}
              href={hrefWith({ verdict: key })}
              aria-current={(verdict ?? undefined) === key ? 'true' : undefined}
            >
              {label}
            </Link>
          ))}
        </div>
        <input
          type="search"
          placeholder="Find an id or a word"
          aria-label="Find an id or a word"
          value={search}
          onChange={({ target }) => {
            navigate(hrefWith({ q: target.value }), { replace: true });
          }}
        />
        <span className="hint" aria-live="polite">
          {rows.length} shown
        </span>
      </div>
      {rows.length === 0 ? (
        <Empty title="No row is like that">
          <Link href={hrefWith({ q: undefined, verdict: undefined })}>Show all</Link>
        </Empty>
      ) : (
        <Rows rows={rows} open={params.get('row')} />
      )}
    </section>
  );
};
