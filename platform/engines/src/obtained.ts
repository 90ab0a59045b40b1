import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './artifacts/cache.ts';
import { type EngineName, isEngineName } from './ports.ts';

/** That an engine was brought onto this machine: kept beside it, since it happens once and is asked for later. */
export interface Obtained {
  readonly name: EngineName;
  /** From the start of obtaining all engines, which go side by side, prerequisites included. */
  readonly seconds: number;
  readonly sizeBytes: number;
  /** ISO 8601. */
  readonly at: string;
}

const fileOf = (): string => join(cacheDir(), 'obtained.jsonl');

/** Adds a line; what cannot be written is not worth failing for. */
export const rememberObtained = (obtained: Obtained): void => {
  try {
    appendFileSync(fileOf(), `${JSON.stringify(obtained)}\n`);
  } catch {
    // a cache that was filled by someone else and may only be read
  }
};

const parsed = (line: string): readonly Obtained[] => {
  try {
    const value = JSON.parse(line) as Obtained; // written above
    return isEngineName(value.name) ? [value] : [];
  } catch {
    return []; // a line that a full disk cut short
  }
};

/** The last time that each engine was obtained on this machine, for those of which it is known. */
export const obtainedBefore = (): readonly Obtained[] => {
  let text: string;
  try {
    text = readFileSync(fileOf(), 'utf8');
  } catch {
    return [];
  }
  const last = new Map(
    text
      .split('\n')
      .flatMap(parsed)
      .map((obtained) => [obtained.name, obtained]),
  );
  return [...last.values()];
};
