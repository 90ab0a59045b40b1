/** What a check found, and how it is told. */

/** One broken promise. Every text is for a person; the fields are stable for programs. */
export interface Finding {
  /** Which contract: `avro parley.order.OrderCreated`, `openapi`, `graphql`, `proto`, `queue ShippingRequested`, … */
  readonly contract: string;
  /** The rule that was broken, `<kind>/<rule>`. */
  readonly rule: string;
  /** The two sides that were compared. */
  readonly versions: { readonly released: string; readonly current: string };
  /** What broke; names the field. */
  readonly broke: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** What one check did. `compared` counts comparisons, so that a check that looked at nothing can be told. */
export interface CheckResult {
  readonly check: string;
  readonly compared: number;
  readonly findings: readonly Finding[];
}

export interface Report {
  readonly ok: boolean;
  /** Released versions that were compared with, oldest first. */
  readonly releases: readonly string[];
  readonly checks: readonly CheckResult[];
  readonly elapsedMs: number;
}

/** The name of the side that is not released yet. */
export const CURRENT = 'working tree';

export const reportOf = (
  releases: readonly string[],
  checks: readonly CheckResult[],
  elapsedMs: number,
): Report => ({
  ok: checks.every(({ findings }) => findings.length === 0),
  releases,
  checks,
  elapsedMs: Math.round(elapsedMs),
});

const findingLines = ({ contract, rule, versions, broke, remedy }: Finding): string[] => [
  `✗ ${contract}  [${rule}]  ${versions.released} → ${versions.current}`,
  `    ${broke}`,
  `    → ${remedy}`,
];

/** The report for a terminal: one line a check, three lines a finding. */
export function formatReport(report: Report): string {
  const width = Math.max(0, ...report.checks.map(({ check }) => check.length));
  const lines = report.checks.flatMap(({ check, compared, findings }) => [
    `${findings.length === 0 ? '✓' : '✗'} ${check.padEnd(width)}  ${compared} compared, ${findings.length} broken`,
    ...findings.flatMap(findingLines).map((line) => `  ${line}`),
  ]);
  const releases = report.releases.length === 0 ? 'no release' : report.releases.join(', ');
  lines.push(`${report.ok ? 'compatible' : 'NOT compatible'} with ${releases} (${report.elapsedMs} ms)`);
  return lines.join('\n');
}
