import { describe, expect, it } from 'vitest';
import { declarations } from './engines/index.ts';
import { engineNames, portsFor } from './ports.ts';
import {
  brokerCounts,
  brokersIn,
  defaultEngines,
  needsOf,
  selectEngines,
  stopWaves,
  withBrokers,
  withNeeds,
  wordsFor,
} from './selection.ts';

describe('the engines of a stack', () => {
  it('are listed after those that they need, so that the list is an order of starts', () => {
    for (const [at, name] of engineNames.entries())
      for (const needed of needsOf(name)) expect(engineNames.indexOf(needed)).toBeLessThan(at);
  });

  it('have names and ports of their own', () => {
    expect(new Set(engineNames).size).toBe(engineNames.length);
    const offsets = declarations.flatMap(({ ports }) => Object.values<number>(ports));
    expect(new Set(offsets).size).toBe(offsets.length);
    expect(Object.values(portsFor(4000))).toHaveLength(offsets.length); // no two have a name either
  });

  it('are the default ones when nothing is said, in the order of the list', () => {
    expect(selectEngines([])).toEqual(defaultEngines);
    expect(defaultEngines).toEqual(
      declarations.filter(({ presence }) => presence !== 'on request').map(({ name }) => name),
    );
  });

  it('are completed with what they need', () => {
    expect(withNeeds(['registry'])).toEqual(['kafka', 'registry']);
  });

  it('have one broker or all three, of which whoever needs Kafka needs every one that is there', () => {
    const three = withBrokers(defaultEngines, 3);
    expect(three.filter((name) => name.startsWith('kafka'))).toEqual(['kafka', 'kafka-2', 'kafka-3']);
    expect([brokersIn(defaultEngines), brokersIn(three)]).toEqual(brokerCounts);
    expect(withBrokers(three, 1)).toEqual(defaultEngines);
    expect(needsOf('registry')).toEqual(['kafka', 'kafka-2', 'kafka-3']);
    const nodes = stopWaves(three).find((wave) => wave.includes('kafka'));
    expect(nodes).toEqual(['kafka', 'kafka-2', 'kafka-3']); // side by side, and after the registry
    expect(() => selectEngines(['+kafka-2'])).toThrow('a part of the cluster of kafka, without kafka-3');
  });

  it.each([
    ['-kafka', 'leaves out kafka, without which no stack works'],
    ['nonsuch', 'names no engine with nonsuch; there are console, kafka, '],
    ['toString', 'names no engine with toString'],
  ])('are refused with the reason for %s', (word, reason) => {
    expect(() => selectEngines([word])).toThrow(reason);
  });

  it('are said again by the words that select them', () => {
    for (const words of [[], engineNames, engineNames.filter((name) => needsOf(name).length > 0)]) {
      const selected = selectEngines(words);
      expect(selectEngines(wordsFor(selected))).toEqual(selected);
    }
    expect(wordsFor(defaultEngines)).toEqual([]);
  });

  it('stop only once all that need them have stopped', () => {
    const waves = stopWaves(engineNames);
    expect(waves.flat().toSorted()).toEqual(engineNames.toSorted());
    const waveOf = (name: string): number => waves.findIndex((wave) => wave.some((one) => one === name));
    for (const name of engineNames)
      for (const needed of needsOf(name)) expect(waveOf(name)).toBeLessThan(waveOf(needed));
  });
});
