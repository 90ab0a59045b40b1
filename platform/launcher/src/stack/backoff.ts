const firstMs = 250;
const longestMs = 30_000;
/** A process that ran this long before it died is not in a crash loop. */
const steadyMs = 60_000;

/** How often in a row something died, and how long to wait before it is started again. */
export interface Restart {
  readonly failures: number;
  readonly pauseMs: number;
}

/** After a death: 250 ms, doubled with each death in a row up to 30 s; a run of a minute begins anew. */
export const nextRestart = (failuresBefore: number, ranMs: number): Restart => {
  const failures = ranMs >= steadyMs ? 1 : failuresBefore + 1;
  return { failures, pauseMs: Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 16)) };
};
