import { declarations } from './engines/index.ts';
import type { EngineDeclaration, PortsNamed } from './engine.ts';

type Declared = (typeof declarations)[number];

export type EngineName = Declared['name'];

/** The engines that there are, each after those that it needs. */
export const engineNames: readonly EngineName[] = declarations.map(({ name }) => name);

/** Whether a word names an engine. */
export const isEngineName = (word: string): word is EngineName => engineNames.some((name) => name === word);

/** The declaration of an engine. Throws a RangeError for any other word. */
export const engineNamed = (name: string): EngineDeclaration<EngineName> => {
  const declaration: EngineDeclaration<EngineName> | undefined = declarations.find(
    (one) => one.name === name,
  );
  if (declaration === undefined) throw new RangeError(`no engine is called ${name}`);
  return declaration;
};

/** Names of the ports of one engine of a union, which each have their own. */
type PortNamesOf<Engine> = Engine extends { readonly ports: PortsNamed<infer PortName> } ? PortName : never;

/** TCP ports on 127.0.0.1 of one stack's engines. */
export type Ports = PortsNamed<PortNamesOf<Declared>>;

const allOffsets: readonly (readonly [string, number])[] = declarations.flatMap(({ ports }) =>
  Object.entries(ports),
);

/** Distance from a stack's base to its highest port, so that stacks this far apart never meet. */
export const portSpan = 200;

/** Below it, ports are for root alone. */
const portBaseMin = 1024;
const portBaseMax = 65_535 - portSpan;

/** Ports from 1024 on that `fetch` and browsers refuse to connect to, whoever listens there: the "bad ports" of the Fetch standard. */
export const fetchRefuses: ReadonlySet<number> = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
  10_080,
]);

/** Why a number cannot be the base of a stack, in words that follow it; undefined when it can. Services' ports are not looked at. */
export const refusalOfBase = (base: number): string | undefined => {
  if (!Number.isInteger(base) || base < portBaseMin || base > portBaseMax)
    return `is not a whole number from ${portBaseMin} to ${portBaseMax}`;
  const refused = allOffsets.find(([, offset]) => fetchRefuses.has(base + offset));
  return refused === undefined
    ? undefined
    : `puts ${refused[0]} on port ${base + refused[1]}, which fetch and browsers refuse`;
};

/** The ports of every engine in the stack at `base`. Throws a RangeError when `refusalOfBase` refuses it. */
export const portsFor = (base: number): Ports => {
  const refusal = refusalOfBase(base);
  if (refusal !== undefined) throw new RangeError(`port base ${base} ${refusal}`);
  return Object.fromEntries(allOffsets.map(([name, offset]) => [name, base + offset])) as Ports; // of each declaration
};

/** Which of a stack's ports are an engine's. */
export const portNamesOf = (name: EngineName): string[] => Object.keys(engineNamed(name).ports);
