import { defaultEngines } from '@parley/engines';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { contextFrom, enginesOf } from './context.ts';

describe('the engines that the environment asks for', () => {
  it('are the default ones when it says nothing', () => {
    expect(enginesOf(contextFrom({}))).toEqual(defaultEngines);
    expect(enginesOf(contextFrom({ PARLEY_ENGINES: ' ' }))).toEqual(defaultEngines);
  });

  it('are more or fewer by name', () => {
    const { engines } = contextFrom({ PARLEY_ENGINES: '-eureka, +kafka' });
    expect(engines).toEqual(defaultEngines.filter((name) => name !== 'eureka'));
  });

  it.each(['nonsuch', '-kafka'])('are refused with exit code 3 and what may be said, for %j', (given) => {
    expect(() => contextFrom({ PARLEY_ENGINES: given })).toThrow(
      expect.objectContaining({
        exitCode: exitCodes.environment,
        message: expect.stringMatching(/^PARLEY_ENGINES=.*\+name/) as string,
      }),
    );
  });
});
