/**
 * Headers of a message as amqplib must be given them to send the same again. amqplib takes a table with the key `!` for a
 * value with its type, and throws when there is no such type: whoever may publish could choose that, so such a table
 * is given its own type. What amqplib itself reads as a value with a type stays as it is.
 */
const READ_TYPES = new Set(['timestamp', 'decimal']);

const isTyped = (table: object): boolean => {
  const { '!': type, value } = table as { readonly '!'?: unknown; readonly value?: unknown };
  if (Object.keys(table).length !== 2 || typeof type !== 'string' || !READ_TYPES.has(type)) return false;
  return type === 'timestamp' ? Number.isSafeInteger(value) : typeof value === 'object' && value !== null;
};

const publishableValue = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  if (Array.isArray(value)) return value.map(publishableValue);
  if (isTyped(value)) return value;
  const table = publishableHeaders(value);
  return Object.hasOwn(table, '!') ? { '!': 'object', value: table } : table;
};

/** A copy that can be sent, of headers as they were received. */
export const publishableHeaders = (headers: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, publishableValue(value)]));
