import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const idSource = String.raw`US\d\.\d|FR-\d{3}|SC-\d{3}|EC-\d|P-\d{2}`;

/** One thing that is to be proven. */
export const Requirement = z.object({
  id: z.string().regex(new RegExp(`^(${idSource})$`)),
  text: z.string().min(1),
});
export type Requirement = z.infer<typeof Requirement>;

const listed = (file: string): readonly Requirement[] =>
  z.array(Requirement).parse(JSON.parse(readFileSync(join(import.meta.dirname, file), 'utf8')));

/** All 71, in the specification's order: scenarios, functional requirements, success criteria, edge cases. */
export const requirements: readonly Requirement[] = listed('requirements.json');

/** What Parley promises beyond the specification. */
export const promises: readonly Requirement[] = listed('promises.json');

const known = new Set([...requirements, ...promises].map(({ id }) => id));

/** The ids that a test's title claims to prove. Throws on one that neither list has. */
export const idsIn = (title: string): readonly string[] => {
  const ids = [...new Set(title.match(new RegExp(String.raw`\b(${idSource})\b`, 'g')) ?? [])];
  for (const id of ids) if (!known.has(id)) throw new RangeError(`nothing asks for ${id}: ${title}`);
  return ids;
};
