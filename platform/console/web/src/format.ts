/** Figures for people: as many digits as one acts upon. */

export const clock = (epochMs: number): string =>
  new Date(epochMs).toLocaleTimeString('en-GB', { hour12: false });

export const dateTime = (epochMs: number): string =>
  new Date(epochMs).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

const digits = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** A rate in events a second. */
export const perSecond = (value: number): string => `${digits(value)}/s`;

/** A ratio as percent; what is there is never shown as zero. */
export const percent = (ratio: number): string => {
  if (ratio === 0) return '0 %';
  if (ratio < 0.001) return '< 0.1 %';
  return `${(ratio * 100).toFixed(ratio < 0.1 ? 1 : 0)} %`;
};

/** A duration given in seconds. */
export const duration = (seconds: number): string =>
  seconds >= 1 ? `${digits(seconds)} s` : `${digits(seconds * 1000)} ms`;
