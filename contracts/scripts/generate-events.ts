/**
 * Writes src/generated/events.ts from the Avro schemas in avro/<aggregate>/<Event>.avsc, so that no event shape is
 * written twice. With `--check` it writes nothing and exits 1 when the file on disk differs.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventTypes, type AvroComplex, type EventSchemaFile } from './event-types.ts';

const root = join(import.meta.dirname, '..');
const target = join(root, 'src/generated/events.ts');

const files = readdirSync(join(root, 'avro')).flatMap((aggregate) =>
  readdirSync(join(root, 'avro', aggregate)).map((file): EventSchemaFile => {
    const schema = JSON.parse(readFileSync(join(root, 'avro', aggregate, file), 'utf8')) as AvroComplex;
    return { aggregate, file, schema };
  }),
);

const text = eventTypes(files);
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write('contracts/src/generated/events.ts differs from avro/: run npm run generate\n');
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, text);
}
