import { z } from 'zod';
import { waitUntil } from '@parley/engines/wait';

const AlertsAnswer = z.object({
  data: z.object({
    alerts: z.array(
      z.object({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
        state: z.enum(['pending', 'firing']),
      }),
    ),
  }),
});

/** An alert by the labels that it must have: `alertname`, and the `service_name` that it is to name. */
export type AlertLabels = Readonly<Record<string, string>>;

/** An alert that fires. */
export interface FiringAlert {
  readonly labels: AlertLabels;
  readonly summary: string;
}

const askDeadlineMs = 5000;
const pollMs = 500;

/** The alerts that fire now. Rejects when Prometheus does not answer within 5 s. */
export const firingAlerts = async (prometheus: string): Promise<FiringAlert[]> => {
  const response = await fetch(`${prometheus}/api/v1/alerts`, { signal: AbortSignal.timeout(askDeadlineMs) });
  if (!response.ok) throw new Error(`Prometheus answered ${response.status}`);
  const { data } = AlertsAnswer.parse(await response.json());
  return data.alerts
    .filter(({ state }) => state === 'firing')
    .map(({ labels, annotations }) => ({ labels, summary: annotations.summary ?? '' }));
};

const has = ({ labels }: FiringAlert, wanted: AlertLabels): boolean =>
  Object.entries(wanted).every(([name, value]) => labels[name] === value);

/** The alert with these labels if it fires now. */
export const findAlert = async (prometheus: string, wanted: AlertLabels): Promise<FiringAlert | undefined> =>
  (await firingAlerts(prometheus)).find((alert) => has(alert, wanted));

/** How long to wait, and what ends the wait. */
export interface AlertWait {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** Waits for an alert; undefined when it does not fire before the deadline. Rejects when aborted. */
export const untilAlert = async (
  prometheus: string,
  wanted: AlertLabels,
  { deadlineMs, signal }: AlertWait,
): Promise<FiringAlert | undefined> => {
  let found: FiringAlert | undefined;
  const look = async (): Promise<boolean> => {
    found = await findAlert(prometheus, wanted).catch(() => undefined); // one slow answer is not the end of a drill
    return found !== undefined;
  };
  await waitUntil(look, { deadlineMs, intervalMs: pollMs, signal });
  return found;
};
