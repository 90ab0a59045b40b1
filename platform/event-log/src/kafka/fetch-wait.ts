/** More than comes while a consumer gathers: the broker then answers when the time is over. */
const GATHERED_BYTES = 1_048_576;
const IDLE_MS = 500;

/** When the broker answers a fetch: with the first record, or with what has come in `gatherMs`. */
export const fetchWait = (gatherMs = 0): { readonly minBytes: number; readonly maxWaitTimeInMs: number } =>
  gatherMs > 0
    ? { minBytes: GATHERED_BYTES, maxWaitTimeInMs: gatherMs }
    : { minBytes: 1, maxWaitTimeInMs: IDLE_MS };
