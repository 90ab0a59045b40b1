import { setTimeout as pause } from 'node:timers/promises';
import { attribute } from '@parley/contracts/telemetry';
import { messageOf } from '../cli/exit.ts';
import type { Output } from '../cli/output.ts';
import { LogFolder, type Lines } from './log-folder.ts';
import { recordOf } from './log-record.ts';

const EVERY_MS = 500;
/** The engine is obtained and started while its first lines are written: for so long its absence is no news. */
const START_GRACE_MS = 600_000;
/** After a failure; the log engine is asked again so often. */
const RETRY_MS = 2_000;
const SAY_DROPPED_EVERY_MS = 60_000;
const POST_DEADLINE_MS = 5_000;

/** Sends what is in the log files to the log engine until it is stopped. */
export interface LogShipping {
  /** Sends what is there, as far as the deadline allows, and ends. Never rejects. */
  stop(options: { readonly deadlineMs: number }): Promise<void>;
}

const body = (read: readonly Lines[], nowIso: string): string =>
  read
    .flatMap(({ file, lines }) => lines.map((line) => `${JSON.stringify(recordOf(line, file, nowIso))}\n`))
    .join('');

const insertUrl = (baseUrl: string): URL => {
  const url = new URL('/insert/jsonline', baseUrl);
  url.searchParams.set('_stream_fields', `${attribute.serviceName},${attribute.serviceInstanceId}`);
  return url;
};

const post = async (url: URL, ndjson: string, signal: AbortSignal): Promise<void> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/stream+json' },
    body: ndjson,
    signal: AbortSignal.any([signal, AbortSignal.timeout(POST_DEADLINE_MS)]),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`it answered ${String(response.status)}`);
};

/** What people are told: that the engine goes and comes back, once each, and how many lines were passed over. */
const shippingReport = (
  folder: LogFolder,
  {
    output,
    logs,
    missedFromMs,
  }: { readonly output: Output; readonly logs: string; readonly missedFromMs: number },
) => {
  let missedFrom = missedFromMs;
  let away = false;
  let saidDropped = 0;
  let saidDroppedAtMs = Number.NEGATIVE_INFINITY;
  const unsaidDropped = (): number => {
    const dropped = folder.dropped - saidDropped;
    saidDropped = folder.dropped;
    saidDroppedAtMs = performance.now();
    return dropped;
  };
  return {
    failed: (error: unknown): void => {
      if (performance.now() < missedFrom) return;
      if (!away) output.bad(`the log engine takes no lines (${messageOf(error)}); they wait in ${logs}`);
      away = true;
    },
    sent: (): void => {
      missedFrom = 0; // it was there
      if (!away) return;
      away = false;
      output.good(`the log engine takes lines again; ${String(unsaidDropped())} were passed over`);
    },
    /** Lines may be too many, or too long, while the engine is well. */
    turned: (): void => {
      if (away || folder.dropped === saidDropped) return;
      if (performance.now() - saidDroppedAtMs < SAY_DROPPED_EVERY_MS) return;
      output.bad(`${String(unsaidDropped())} log lines were passed over; they are in ${logs} only`);
    },
  };
};

/**
 * Ships the log files of a run folder to VictoriaLogs. Services write to their files and know nothing of it, so an engine
 * that is slow or away never slows them: the files wait, bounded in bytes, and what is passed over is counted. Both its
 * going and its coming back are said once. A batch whose answer is lost is sent again, so a line may be there twice.
 */
export const shipLogs = async (options: {
  /** The folder with the log files. */
  readonly logs: string;
  /** Base URL of VictoriaLogs. */
  readonly url: string;
  readonly output: Output;
  /** How far behind a file's end it may be. */
  readonly behindBytesMax?: number;
  /** For how long after the start an engine that was never there is not missed. Default 60 s. */
  readonly startGraceMs?: number;
}): Promise<LogShipping> => {
  const folder = await LogFolder.open(options.logs, options.behindBytesMax);
  const url = insertUrl(options.url);
  const stopping = new AbortController();
  const late = new AbortController();
  const report = shippingReport(folder, {
    output: options.output,
    logs: options.logs,
    missedFromMs: performance.now() + (options.startGraceMs ?? START_GRACE_MS),
  });
  /** True while there may be more to send at once. */
  const turn = async (): Promise<boolean> => {
    const read = await folder.read();
    if (read.length > 0) {
      await post(url, body(read, new Date().toISOString()), late.signal);
      report.sent();
    }
    folder.commit(); // also of a line without end, of which nothing was read
    report.turned();
    return read.length > 0;
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const pauseMs = await turn().then(
        () => EVERY_MS,
        (error: unknown) => {
          report.failed(error);
          return RETRY_MS;
        },
      );
      await pause(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    while (!late.signal.aborted && (await turn().catch(() => false)));
  };
  const running = run();
  return {
    stop: async ({ deadlineMs }) => {
      const timer = setTimeout(() => {
        late.abort();
      }, deadlineMs);
      stopping.abort();
      await running;
      clearTimeout(timer);
    },
  };
};
