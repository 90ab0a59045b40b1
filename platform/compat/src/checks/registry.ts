/** A running schema registry against the repository. */
import { setTimeout as pause } from 'node:timers/promises';
import { canonical } from '@parley/event-log';
import { z } from 'zod';
import type { Contracts } from '../contract-files.ts';
import { isObject } from '../json-schema/accepts.ts';
import { CURRENT, type CheckResult, type Finding } from '../report.ts';

const REQUEST_DEADLINE_MS = 5_000;
const ATTEMPTS = 3;
const RETRY_MS = 500;
export const COMPATIBILITY = 'FULL_TRANSITIVE';

/** The registry cannot be asked. */
export class RegistryUnreachable extends Error {
  override readonly name = 'RegistryUnreachable';
}

const Subjects = z.array(z.string());
const Versions = z.array(z.int());
const Version = z.object({ schema: z.string() });
const Config = z.object({ compatibilityLevel: z.string() });

/** Asks, and again when the network fails; undefined for 404. @throws RegistryUnreachable */
async function ask<T>(base: string, path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(`${base}/${path}`, { signal: AbortSignal.timeout(REQUEST_DEADLINE_MS) });
      if (response.status === 404) return undefined;
      if (!response.ok) throw new Error(`status ${response.status}`);
      return schema.parse(await response.json());
    } catch (error) {
      if (attempt >= ATTEMPTS)
        throw new RegistryUnreachable(
          `the schema registry at ${base} does not answer: ${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        );
      await pause(RETRY_MS);
    }
  }
}

/**
 * A schema with every name in full and no `namespace` beside it: the registry answers a nested type without the
 * namespace that it shares with its record.
 */
function inFull(schema: unknown, enclosing: string): unknown {
  if (Array.isArray(schema)) return schema.map((item: unknown) => inFull(item, enclosing));
  if (!isObject(schema)) return schema;
  const { namespace, name, ...rest } = schema;
  const isNamed = ['record', 'enum', 'fixed'].includes(String(schema.type));
  const own = isNamed && typeof namespace === 'string' ? namespace : enclosing;
  const parts = Object.entries(rest).map(([key, value]) => [key, inFull(value, own)] as const);
  const named = isNamed ? { name: `${own}.${String(name)}` } : name === undefined ? {} : { name };
  return { ...Object.fromEntries(parts), ...named };
}

const textOf = (schema: unknown): string => canonical(inFull(schema, ''));

async function versionsOf(base: string, subject: string): Promise<readonly string[]> {
  const at = `subjects/${encodeURIComponent(subject)}/versions`;
  const numbers = (await ask(base, at, Versions)) ?? [];
  const schemas: string[] = [];
  for (const number of numbers) {
    const version = await ask(base, `${at}/${number}`, Version);
    if (version !== undefined) schemas.push(textOf(JSON.parse(version.schema)));
  }
  return schemas;
}

type Say = (contract: string, rule: string, broke: string, remedy: string) => void;

async function compareSubject(
  base: string,
  subject: string,
  sides: { readonly current: Contracts; readonly releases: readonly Contracts[] },
  say: Say,
): Promise<void> {
  const contract = `avro ${subject}`;
  const today = sides.current.events.get(subject);
  if (today === undefined) {
    say(
      contract,
      'unknown-subject',
      `${subject} is in the registry and not in contracts/avro`,
      'Restore its schema.',
    );
    return;
  }
  const level = await ask(base, `config/${encodeURIComponent(subject)}`, Config);
  if (level?.compatibilityLevel !== COMPATIBILITY)
    say(
      contract,
      'level',
      `${subject} is checked with ${level?.compatibilityLevel ?? 'the registry’s default'}, not ${COMPATIBILITY}`,
      `Set it: PUT /config/${subject} {"compatibility":"${COMPATIBILITY}"}`,
    );
  const versions = await versionsOf(base, subject);
  if (!versions.includes(textOf(today)))
    say(
      contract,
      'not-registered',
      `today's schema of ${subject} is not in the registry, which has ${versions.length} versions of it`,
      'Start the service that writes it: it registers its schemas.',
    );
  const known = [today, ...sides.releases.flatMap(({ events }) => events.get(subject) ?? [])].map(textOf);
  for (const [index, version] of versions.entries())
    if (!known.includes(version))
      say(
        contract,
        'unreleased-version',
        `version ${index + 1} of ${subject} in the registry is neither released nor today's`,
        'Records may be written with it: release it, or clean the stack that it was tried on.',
      );
}

/**
 * Compares every subject: there, with the rule, with today's schema, and without a version that nobody released.
 * @param base the registry's Confluent-compatible API.
 * @throws RegistryUnreachable
 */
export async function checkRegistry(
  base: string,
  current: Contracts,
  releases: readonly Contracts[],
): Promise<CheckResult> {
  const findings: Finding[] = [];
  const say: Say = (contract, rule, broke, remedy) => {
    const versions = { released: 'registry', current: CURRENT };
    findings.push({ contract, rule: `registry/${rule}`, versions, broke, remedy });
  };
  const subjects = (await ask(base, 'subjects', Subjects)) ?? [];
  for (const name of current.events.keys())
    if (!subjects.includes(name))
      say(
        `avro ${name}`,
        'no-subject',
        `${name} is not in the registry`,
        'Start the service that writes it: it registers its schemas.',
      );
  const ours = subjects.filter((subject) => subject.startsWith('parley.'));
  for (const subject of ours) await compareSubject(base, subject, { current, releases }, say);
  return { check: 'schema registry', compared: ours.length, findings };
}
