import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { readSchemas } from '../check/schemas.ts';
import { Standalone } from '../check/standalone.ts';
import { findTraps } from '../check/traps.ts';
import { validateItems } from '../check/validate.ts';
import { committedTarget, renderAll, renderedDir } from './rendered.ts';

/** What was looked at, and what was found; nothing found is good. */
export interface CheckReport {
  readonly findings: readonly string[];
  /** Where the schemas came from; absent: nothing was validated against any. */
  readonly schemas?: string;
}

/** Which files, and by which schemas. */
export interface CheckOptions {
  /** The folder with `apisix.yaml` and `config.yaml`; absent: the committed one, which must be what is rendered today. */
  readonly dir?: string;
  readonly schema?: string;
}

const drift = async (): Promise<readonly string[]> => {
  const rendered = Object.entries(renderAll(committedTarget()));
  const findings = await Promise.all(
    rendered.map(async ([name, text]) =>
      (await readFile(join(renderedDir, name), 'utf8').catch(() => '')) === text
        ? []
        : [`gateway-config/rendered/${name} is not what the policy renders to. Type: npm run gateway:render`],
    ),
  );
  return findings.flat();
};

/** @throws SchemasUnavailable, and whatever a folder without the two files leads to. */
export const checkGateway = async ({ dir, schema }: CheckOptions): Promise<CheckReport> => {
  const folder = dir ?? renderedDir;
  const [text, config] = await Promise.all(
    ['apisix.yaml', 'config.yaml'].map((name) => readFile(join(folder, name), 'utf8')),
  );
  if (text === undefined || config === undefined) throw new Error('two files were read');
  const drifted = dir === undefined ? await drift() : [];
  const parsed = Standalone.safeParse(parse(text, { version: '1.1' }));
  if (!parsed.success) return { findings: [...drifted, `apisix.yaml: ${z.prettifyError(parsed.error)}`] };
  const file = parsed.data;
  const findings = [...drifted, ...findTraps({ text, file, config })];
  if (schema === undefined) return { findings };
  return { findings: [...findings, ...validateItems(file, await readSchemas(schema))], schemas: schema };
};
