import type { Addresses, TableRow } from './engine.ts';
import { engineNamed, portsFor, type EngineName } from './ports.ts';

/** Where one of the engines of the stack at a base is found. */
export const addressesOf = (name: EngineName, base: number, engines: readonly EngineName[]): Addresses =>
  engineNamed(name).addresses(portsFor(base), engines);

/** The engines' part of endpoints.json. */
export const endpointsOfEngines = (names: readonly EngineName[], base: number): Addresses['endpoints'] =>
  Object.assign(
    {},
    ...names.map((name) => addressesOf(name, base, names).endpoints),
  ) as Addresses['endpoints'];

/** The version of each engine, by name. */
export const engineVersions = (names: readonly EngineName[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [name, engineNamed(name).version]));

/** The engines' rows of the table that ends a start, in the order of the engines. */
export const rowsOfEngines = (names: readonly EngineName[], base: number): readonly TableRow[] =>
  names.flatMap((name) => addressesOf(name, base, names).rows);
