import { escapeMarkup } from './escape.ts';
import type { Ledger, LedgerRow, Proof } from './merge.ts';

const style = `
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --open: #9a6700; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { margin-bottom: 0; } .sum { margin-top: .25rem; opacity: .8; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem; border-bottom: 1px solid var(--line); }
th { position: sticky; top: 0; background: Canvas; } th:last-child { min-width: 14rem; }
td:first-child { white-space: nowrap; font-weight: 600; }
.verdict { white-space: nowrap; font-weight: 600; color: var(--open); }
tr.proven .verdict { color: var(--good); }
.test { font-size: .9em; opacity: .8; overflow-wrap: anywhere; }
pre { font-size: .8em; margin: .25rem 0 .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
`;

const proof = ({ title, file, durationMs, evidence }: Proof): string =>
  [
    `<div class="test">${escapeMarkup(title)} — ${escapeMarkup(file)}, ${durationMs.toFixed(0)} ms</div>`,
    ...evidence.map((data) => `<pre>${escapeMarkup(JSON.stringify(data, undefined, 2))}</pre>`),
  ].join('');

const tableRow = ({ id, text, verdict, proofs, reason }: LedgerRow): string => {
  const found =
    proofs.length === 0
      ? `<span class="test">${escapeMarkup(reason ?? '')}</span>`
      : `<details><summary>${proofs.length} ${proofs.length === 1 ? 'test' : 'tests'}${reason === undefined ? '' : `, but ${escapeMarkup(reason)}`}</summary>${proofs.map(proof).join('')}</details>`;
  const cells = [id, escapeMarkup(text), found].map((cell) => `<td>${cell}</td>`);
  cells.splice(1, 0, `<td class="verdict">${verdict === 'proven' ? '✓ proven' : '– not proven'}</td>`);
  return `<tr id="${id}" class="${verdict === 'proven' ? 'proven' : 'open'}">${cells.join('')}</tr>`;
};

const table = (rows: readonly LedgerRow[]): string => `<table>
<thead><tr><th>Id</th><th>Verdict</th><th>Requirement</th><th>Evidence of this run</th></tr></thead>
<tbody>
${rows.map(tableRow).join('\n')}
</tbody>
</table>`;

/** The ledger as one page that needs no network and no script. */
export const toHtml = (ledger: Ledger, generatedAt: string): string => {
  const { passed, failed, skipped } = ledger.tests;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Parley: acceptance ledger</title>
<style>${style}</style>
<h1>Acceptance ledger</h1>
<p class="sum">${ledger.proven} of ${ledger.total} proven · ${passed} tests passed, ${failed} failed, ${skipped} skipped · ${escapeMarkup(generatedAt)}</p>
<p>A row is proven when a test that claims it passed in this run and measured something, and no test that claims it failed.</p>
${table(ledger.rows)}
<h2>Beyond the specification</h2>
${table(ledger.promises)}
</html>
`;
};
