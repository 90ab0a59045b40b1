import { afterEach, expect, it, vi } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { tokenCommandWith } from './token.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const run = (sub: string) => {
  const mint = vi.fn(() => Promise.resolve('a token'));
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  return { mint, running: tokenCommandWith(mint).run({ sub }, []) };
};

it.each(['', ' ', 'a b', ' alice', 'alice ', 'ál', 'a'.repeat(129)])(
  'makes no token for --sub "%s", which no service takes for a user: wrong usage',
  async (sub) => {
    const { mint, running } = run(sub);
    await expect(running).rejects.toMatchObject({ exitCode: exitCodes.usage });
    expect(mint).not.toHaveBeenCalled();
  },
);

it.each(['alice', 'auth0|5f7c8ec7c33c6c004bbafe82', 'a'.repeat(128)])('makes one for %s', async (sub) => {
  const { mint, running } = run(sub);
  expect(await running).toBe(exitCodes.ok);
  expect(mint).toHaveBeenCalledWith(expect.objectContaining({ sub }));
});
