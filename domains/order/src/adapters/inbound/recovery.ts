import { setImmediate as giveWay } from 'node:timers/promises';
import { metricDefinitions } from '@parley/contracts/telemetry';
import type { View } from '@parley/event-log';
import { observeCount, runInContext, startLoop, type Service } from '@parley/service';
import { createRecovery, type UnfinishedRow } from '../../application/recovery.ts';

/** Sweeps unfinished orders again and again, until the service stops, and counts them. */
export const startRecovery = (
  service: Service,
  deps: Pick<Parameters<typeof createRecovery>[0], 'advance' | 'now'> & {
    readonly unfinished: Pick<View<UnfinishedRow>, 'list' | 'size'>;
    /** Between two sweeps. */
    readonly pauseMs: number;
  },
  signal: AbortSignal,
): void => {
  const { logger } = service;
  observeCount(metricDefinitions.ordersUnfinished, () => deps.unfinished.size);
  const sweep = createRecovery({
    ...deps,
    onBehalfOf: runInContext,
    giveWay,
    failed: (orderId, err) => {
      logger.error({ orderId, err }, 'an unfinished order could not be advanced');
    },
  });
  const recovery = startLoop({
    pauseMs: deps.pauseMs,
    work: async (stopping) => {
      const settled = await sweep(stopping);
      if (settled > 0) logger.info({ orders: settled }, 'unfinished orders were settled');
    },
    failed: (err) => {
      logger.error({ err }, 'the sweep of unfinished orders failed');
    },
    signal,
  });
  service.onStop('recovery', () => recovery.stop());
};
