import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const idSource = String.raw`US\d\.\d|FR-\d{3}|SC-\d{3}|EC-\d`;

/** One thing that the specification asks for. */
export const Requirement = z.object({
  id: z.string().regex(new RegExp(`^(${idSource})$`)),
  text: z.string().min(1),
});
export type Requirement = z.infer<typeof Requirement>;

/** All 71, in the specification's order: scenarios, functional requirements, success criteria, edge cases. */
export const requirements: readonly Requirement[] = z
  .array(Requirement)
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, 'requirements.json'), 'utf8')));

const known = new Set(requirements.map(({ id }) => id));

/** The ids that a test's title claims to prove. Throws on one that the specification does not have. */
export const idsIn = (title: string): readonly string[] => {
  const ids = [...new Set(title.match(new RegExp(String.raw`\b(${idSource})\b`, 'g')) ?? [])];
  for (const id of ids) if (!known.has(id)) throw new RangeError(`the specification has no ${id}: ${title}`);
  return ids;
};
