import { z } from 'zod';
import { errorCatalog, type ErrorCode } from '../errors.ts';

/** An amount of money: integer minor units plus an ISO 4217 code. */
export const Money = z.object({
  amountMinor: z.int().nonnegative(),
  currency: z.string().regex(/^[A-Z]{3}$/),
});
export type Money = z.infer<typeof Money>;

/** A point in time as ISO 8601 in UTC. */
export const Timestamp = z.iso.datetime();

export const ProductId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be a product id');
/** In lower case, whatever the caller wrote: it names streams and keys of commands, and a UUID has no case (RFC 9562, 4). */
export const OrderId = z.uuid().toLowerCase();
export const CustomerId = z.string().min(1).max(128);

const codes = Object.keys(errorCatalog) as [ErrorCode, ...ErrorCode[]];

/** RFC 9457 problem details, as every REST error of every service and of the gateway looks. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  /** More codes may come: a client treats one that it does not know by its status. */
  code: z.enum(codes).meta({ extensible: true }),
  detail: z.string().optional(),
  correlationId: z.string(),
  /** Which fields of a request are invalid and why (VALIDATION_FAILED). */
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  /**
   * The order that the refusal is about: one that was recorded and then cancelled (PRODUCT_NOT_FOUND, STOCK_SHORT,
   * PAYMENT_DECLINED), or one that is not paid as asked (PAYMENT_VOIDED, CONFLICT when its payment has other terms).
   */
  orderId: OrderId.optional(),
});
export type Problem = z.infer<typeof Problem>;

/** The number that decimal digits write; anything else (`1e1`, `0x10`, `+10`, ` 10`, `010`, `10.0`) is none. */
const fromDecimal = (text: unknown, context: z.RefinementCtx): unknown => {
  if (text === undefined) return text;
  if (typeof text === 'string' && /^(?:0|[1-9]\d*)$/.test(text)) return Number(text);
  context.addIssue('expected a whole number in decimal digits');
  return z.NEVER;
};

/** A number in a query: decimal digits and nothing else. */
export const wholeNumber = (number: z.ZodType<number>): z.ZodType<number> =>
  z.preprocess(fromDecimal, number);

/** Query parameters of every list: 1 to 100 items, after the last one of the page before. */
export const PageQuery = z.object({
  limit: z.preprocess(fromDecimal, z.int().min(1).max(100)).default(20),
  /** An id of the list's items, which all are in lower case. */
  after: z.string().min(1).max(200).toLowerCase().optional(),
});
export type PageQuery = z.infer<typeof PageQuery>;

/** A page of a list. `nextAfter` is absent on the last page. */
export const page = <T extends z.ZodType>(
  item: T,
): z.ZodObject<{ items: z.ZodArray<T>; nextAfter: z.ZodOptional<z.ZodString> }> =>
  z.object({ items: z.array(item), nextAfter: z.string().optional() });
