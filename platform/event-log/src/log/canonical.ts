/** JSON with sorted keys: equal text for equal content, whatever order the keys were written in. */
export function canonical(value: unknown): string {
  if (typeof value === 'bigint') return `"${value}n"`;
  if (value === undefined) return 'null';
  if (typeof value === 'number' && !Number.isFinite(value)) return `"${String(value)}"`; // JSON has null for all of them
  if (value instanceof Date) return JSON.stringify(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value instanceof Map) return canonical([...value.entries()].map(([k, v]) => [String(k), v] as const));
  if (value instanceof Set) return canonical([...value.values()]);
  const entries = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
}
