/** Which changes of a JSON Schema break whoever relies on the one before. */
import {
  isObject,
  propertiesOf,
  refusals,
  requiredOf,
  resolve,
  type Refusal,
  type Rooted,
} from './accepts.ts';

/**
 * Who may be older than the other. `request`: the sender; what it may send must stay accepted. `response`: the
 * reader; what is answered must stay within what it was promised, except that more properties may come. `message`:
 * either; both must hold.
 */
export type Role = 'request' | 'response' | 'message';

export interface Change {
  /** Empty for the document itself. */
  readonly path: string;
  readonly rule: string;
  /** The keyword's value, as text, before and after. */
  readonly before: string;
  readonly after: string;
}

const DEPTH_MAX = 40;

/** Properties and promised values that are gone, and defaults that changed, though the schemas still accept each other. */
function losses(before: Rooted, after: Rooted, path = '', depth = 0): readonly Change[] {
  const was = resolve(before);
  const is = resolve(after);
  if (!isObject(was.schema) || !isObject(is.schema) || depth > DEPTH_MAX) return [];
  const found: Change[] = [];
  if ('default' in was.schema) {
    const [first, now] = [JSON.stringify(was.schema.default), JSON.stringify(is.schema.default ?? 'none')];
    if (first !== now) found.push({ path, rule: 'default', before: first, after: now });
  }
  const left = propertiesOf(is.schema);
  const required = requiredOf(was.schema);
  for (const [name, schema] of Object.entries(propertiesOf(was.schema))) {
    const at = `${path}.${name}`;
    const same = left[name];
    if (same !== undefined)
      found.push(...losses({ schema, root: was.root }, { schema: same, root: is.root }, at, depth + 1));
    else
      found.push({
        path: at,
        rule: 'property-removed',
        before: required.includes(name) ? 'required' : 'optional',
        after: 'none',
      });
  }
  const [items, itemsLeft] = [was.schema.items, is.schema.items];
  if (isObject(items) && isObject(itemsLeft))
    found.push(
      ...losses(
        { schema: items, root: was.root },
        { schema: itemsLeft, root: is.root },
        `${path}[]`,
        depth + 1,
      ),
    );
  const [values, valuesLeft] = [was.schema['x-extensible-enum'], is.schema['x-extensible-enum']];
  if (Array.isArray(values)) {
    const rest: readonly unknown[] = Array.isArray(valuesLeft) ? valuesLeft : [];
    const gone = values.filter((value) => !rest.includes(value));
    if (gone.length > 0)
      found.push({ path, rule: 'value-removed', before: JSON.stringify(gone), after: 'none' });
  }
  return found;
}

const sent = (refusal: Refusal): Change => ({
  path: refusal.path,
  rule: refusal.rule,
  before: refusal.writer,
  after: refusal.reader,
});
const read = (refusal: Refusal): Change => ({
  path: refusal.path,
  rule: refusal.rule,
  before: refusal.reader,
  after: refusal.writer,
});

/** Every breaking change, each place once. */
export function breakingChanges(before: Rooted, after: Rooted, role: Role): readonly Change[] {
  const found = [
    ...(role === 'response' ? [] : refusals(before, after).map(sent)),
    ...(role === 'request' ? [] : refusals(after, before).map(read)),
    ...losses(before, after),
  ];
  const seen = new Set<string>();
  // A lost property is also one that the other side requires or refuses: it is said once.
  return found
    .toSorted((a, b) => Number(b.rule === 'property-removed') - Number(a.rule === 'property-removed'))
    .filter(({ path, rule }) => {
      const known = seen.has(path) && (rule === 'required' || rule === 'unknown-property');
      seen.add(path);
      return !known;
    });
}

/** `quantity: maximum was 100, is 50`. */
export const describeChange = ({ path, rule, before, after }: Change): string =>
  `${path.replace(/^\./, '') || 'the document'}: ${rule} (was ${before}, is ${after})`;
