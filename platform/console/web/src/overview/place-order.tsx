import { useState, type ReactNode } from 'react';
import type { PlacedOrder } from '../../../src/api.ts';
import { duration } from '../format.ts';
import { ask } from '../polled.ts';
import { Status } from '../status.tsx';

/** Orders that stay in sight. */
const SHOWN_MAX = 3;

const Placed = ({
  order,
  tracesUrl,
}: {
  readonly order: PlacedOrder;
  readonly tracesUrl: string | undefined;
}): ReactNode => {
  const { httpStatus, latencyMs, traceId, orderId, outcome, detail } = order;
  return (
    <li>
      <Status tone={httpStatus === 201 ? 'good' : httpStatus < 400 ? 'warn' : 'bad'}>
        {httpStatus} {outcome}
      </Status>{' '}
      in {duration(latencyMs / 1000)}
      {tracesUrl === undefined ? null : (
        <>
          {' · '}
          <a href={`${tracesUrl}traces/${traceId}`} target="_blank" rel="noreferrer">
            trace
          </a>
        </>
      )}
      <span className="detail mono">{orderId ?? detail ?? ''}</span>
    </li>
  );
};

/** Places an order through the gateway, as `npm run flow` does. */
export const PlaceOrder = ({
  tracesUrl,
  isPossible,
}: {
  readonly tracesUrl: string | undefined;
  readonly isPossible: boolean;
}): ReactNode => {
  const [orders, setOrders] = useState<readonly PlacedOrder[]>([]);
  const [error, setError] = useState<string>();
  const [isPlacing, setPlacing] = useState(false);
  const place = async (): Promise<void> => {
    setPlacing(true);
    setError(undefined);
    try {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
      const order = await ask<PlacedOrder>('/api/orders', init);
      setOrders((before) => [order, ...before].slice(0, SHOWN_MAX));
    } catch (reason) {
      setError(reason instanceof Error ? reason.message : String(reason));
    } finally {
      setPlacing(false);
    }
  };
  return (
    <div className="try">
      <button
        type="button"
        className="primary"
        disabled={!isPossible || isPlacing}
        onClick={() => void place()}
      >
        {isPlacing ? 'Placing …' : 'Place an order'}
      </button>
      <div aria-live="polite">
        {error === undefined ? null : <Status tone="bad">{error}</Status>}
        {orders.length === 0 && error === undefined ? (
          <p className="hint">
            One piece of the first product, through the gateway, for the customer “console”.
          </p>
        ) : (
          <ol>
            {orders.map((order) => (
              <Placed key={order.traceId} order={order} tracesUrl={tracesUrl} />
            ))}
          </ol>
        )}
      </div>
    </div>
  );
};
