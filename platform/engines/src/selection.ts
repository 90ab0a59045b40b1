import { declarations } from './engines/index.ts';
import { engineNamed, engineNames, isEngineName, type EngineName } from './ports.ts';

/** Engines of a stack that nothing more is said of. */
export const defaultEngines: readonly EngineName[] = declarations
  .filter(({ presence }) => presence !== 'on request')
  .map(({ name }) => name);

/** Names of the engines that must be ready before one starts. */
export const needsOf = (name: EngineName): readonly EngineName[] =>
  (engineNamed(name).needs ?? []).map((needed) => engineNamed(needed.name).name);

/** The engines with all that they need, each after what it needs. */
export const withNeeds = (names: readonly EngineName[]): EngineName[] => {
  const all = new Set<EngineName>();
  const add = (name: EngineName): void => {
    for (const needed of needsOf(name)) add(needed);
    all.add(name);
  };
  for (const name of names) add(name);
  return engineNames.filter((name) => all.has(name));
};

/**
 * The engines of a stack for which `words` are said: `toxiproxy` or `+toxiproxy` asks for one more than the default ones,
 * `-zipkin` does without one. Throws a RangeError, whose message follows the words, for a name that there is not, for an
 * engine that every stack has and for one that another chosen engine needs.
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
  return all;
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
