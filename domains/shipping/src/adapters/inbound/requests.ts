import { ShippingRequested } from '@parley/contracts/queues';
import type { Dispatch } from '../../application/dispatch.ts';

/** What becomes of a delivered message. A handler that rejects instead asks for it to be delivered again. */
export type Verdict =
  | { readonly kind: 'done' }
  /** Never to be tried again; `reason` goes with it to the dead letters. */
  | { readonly kind: 'dead-letter'; readonly reason: string };

/** Reads a message's body and dispatches. Resolves `done` only after the shipment was read back from the log. */
export const createOnRequest =
  (dispatch: Dispatch) =>
  async (body: unknown, context: { readonly correlationId: string }): Promise<Verdict> => {
    const parsed = ShippingRequested.safeParse(body);
    if (!parsed.success) {
      const problems = parsed.error.issues.map(
        (issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`,
      );
      return { kind: 'dead-letter', reason: `not a ShippingRequested: ${problems.join('; ')}` };
    }
    const outcome = await dispatch(parsed.data, context);
    return outcome.kind === 'dispatched'
      ? { kind: 'done' }
      : { kind: 'dead-letter', reason: `already dispatched as shipment ${outcome.rejection.shipmentId}` };
  };
