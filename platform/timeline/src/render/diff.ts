import { canonical } from '@parley/event-log/tools';
import { inlineJson } from './escape.ts';

/** One field that differs. A path is dotted; undefined is "not there". */
export interface FieldDiff {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every field in which two plain values differ, in the order of their paths. Lists are compared as wholes. */
export function diffFields(before: unknown, after: unknown, path = ''): readonly FieldDiff[] {
  if (canonical(before) === canonical(after) && (before === undefined) === (after === undefined)) return [];
  if (!isRecord(before) || !isRecord(after)) return [{ path: path === '' ? '(row)' : path, before, after }];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .sort()
    .flatMap((key) => diffFields(before[key], after[key], path === '' ? key : `${path}.${key}`));
}

/** One line a field: `status: "PAID" → "SHIPPED"`. */
export const diffLines = (diffs: readonly FieldDiff[]): readonly string[] =>
  diffs.map(({ path, before, after }) => `${path}: ${inlineJson(before)} → ${inlineJson(after)}`);
