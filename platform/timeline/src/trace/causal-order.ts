/** Something that happened, and what it happened because of. */
export interface Happening {
  readonly id: string;
  /** Ids of its causes. One that is not among the happenings is ignored. */
  readonly causes: readonly string[];
  /** Milliseconds since the epoch, by the clock of whoever saw it. */
  readonly atMs: number;
}

/**
 * Causes before effects; among those that could come next, the earliest. Clocks of two services may disagree, so
 * time only decides where causality does not. A circle of causes, which no log has, is broken at its earliest.
 */
export function inCausalOrder<H extends Happening>(happenings: readonly H[]): readonly H[] {
  const known = new Set(happenings.map(({ id }) => id));
  const left = new Set([...happenings].sort((a, b) => a.atMs - b.atMs));
  const done = new Set<string>();
  const ordered: H[] = [];
  const isDue = ({ id, causes }: H): boolean =>
    causes.every((cause) => cause === id || done.has(cause) || !known.has(cause));
  for (;;) {
    const [earliest] = left;
    if (earliest === undefined) return ordered;
    let next = earliest;
    for (const candidate of left)
      if (isDue(candidate)) {
        next = candidate;
        break;
      }
    left.delete(next);
    // Copies of one event share its id: what follows from it waits for the first of them only.
    done.add(next.id);
    ordered.push(next);
  }
}
