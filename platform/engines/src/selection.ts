import { declarations } from './engines/index.ts';
import { engineNamed, engineNames, isEngineName, type EngineName } from './ports.ts';

/** Engines of a stack that nothing more is said of. */
export const defaultEngines: readonly EngineName[] = declarations
  .filter(({ presence }) => presence !== 'on request')
  .map(({ name }) => name);

const declaredNeeds = (name: EngineName): readonly EngineName[] =>
  (engineNamed(name).needs ?? []).map((needed) => engineNamed(needed.name).name);

/** The engine with the other nodes of its cluster, each of which a stack may do without; alone when it has none. */
export const nodesOf = (name: EngineName): readonly EngineName[] => {
  const { cluster } = engineNamed(name);
  if (cluster === undefined) return [name];
  return engineNames.filter((other) => engineNamed(other).cluster?.name === cluster.name);
};

/** Names of the engines that must be ready before one starts, as far as its stack has them: nodes of a cluster all count. */
export const needsOf = (name: EngineName): readonly EngineName[] => declaredNeeds(name).flatMap(nodesOf);

/** The engines with all that they need, each after what it needs. */
export const withNeeds = (names: readonly EngineName[]): EngineName[] => {
  const all = new Set<EngineName>();
  const add = (name: EngineName): void => {
    for (const needed of declaredNeeds(name)) add(needed);
    all.add(name);
  };
  for (const name of names) add(name);
  return engineNames.filter((name) => all.has(name));
};

/**
 * The engines of a stack for which `words` are said: `toxiproxy` or `+toxiproxy` asks for one more than the default ones,
 * `-zipkin` does without one. Throws a RangeError, whose message follows the words, for a name that there is not, for an
 * engine that every stack has, for one that another chosen engine needs and for a part of a cluster.
 */
export const selectEngines = (words: readonly string[]): EngineName[] => {
  const chosen = new Set(defaultEngines);
  for (const word of words) {
    const name = word.replace(/^[+-]/, '');
    if (!isEngineName(name))
      throw new RangeError(`names no engine with ${name}; there are ${engineNames.join(', ')}`);
    if (!word.startsWith('-')) chosen.add(name);
    else if (engineNamed(name).presence === 'always')
      throw new RangeError(`leaves out ${name}, without which no stack works`);
    else chosen.delete(name);
  }
  const all = withNeeds([...chosen]);
  const left = words.find((word) => word.startsWith('-') && all.some((name) => `-${name}` === word));
  if (left !== undefined) throw new RangeError(`leaves out ${left.slice(1)}, which another engine needs`);
  refusePartOfCluster(all);
  return all;
};

/** One node alone is no cluster; of more, all are there: two of three have no majority once one of them is away. */
const refusePartOfCluster = (names: readonly EngineName[]): void => {
  for (const name of names) {
    const [first, ...others] = nodesOf(name);
    const missing = others.filter((node) => !names.includes(node));
    if (missing.length > 0 && missing.length < others.length)
      throw new RangeError(
        `asks for a part of the cluster of ${String(first)}, without ${missing.join(', ')}`,
      );
  }
};

/** The numbers of brokers that Kafka can have in a stack. */
export const brokerCounts: readonly number[] = [1, nodesOf('kafka').length];

/** How many brokers Kafka has in a stack of these engines. */
export const brokersIn = (names: readonly EngineName[]): number =>
  nodesOf('kafka').filter((node) => names.includes(node)).length;

/** The engines with that many brokers, one of `brokerCounts`. */
export const withBrokers = (names: readonly EngineName[], brokers: number): EngineName[] => {
  const [, ...others] = nodesOf('kafka');
  return engineNames.filter((name) => (others.includes(name) ? brokers > 1 : names.includes(name)));
};

/** The words by which `selectEngines` selects these engines. */
export const wordsFor = (names: readonly EngineName[]): string[] => [
  ...names.filter((name) => !defaultEngines.includes(name)).map((name) => `+${name}`),
  ...defaultEngines.filter((name) => !names.includes(name)).map((name) => `-${name}`),
];

/** The engines in the waves in which they stop: each once all that need it have stopped. */
export const stopWaves = (names: readonly EngineName[]): EngineName[][] => {
  const waves: EngineName[][] = [];
  for (let left = [...names]; left.length > 0;) {
    const needed = new Set(left.flatMap(needsOf));
    const wave = left.filter((name) => !needed.has(name));
    waves.push(wave);
    left = left.filter((name) => needed.has(name));
  }
  return waves;
};
