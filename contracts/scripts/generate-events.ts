/**
 * Writes src/generated/events.ts from the Avro schemas in avro/<aggregate>/<Event>.avsc, so that no event shape is
 * written twice. That it is up to date is a part of `npm run contracts:check`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventTypes, readEventSchemas } from './event-types.ts';

const root = join(import.meta.dirname, '..');
writeFileSync(join(root, 'src/generated/events.ts'), eventTypes(readEventSchemas(join(root, 'avro'))));
