import { expect, it } from 'vitest';
import { typedPath } from './typed-path.ts';

const typedInDocs = { INIT_CWD: '/clone/docs', npm_config_local_prefix: '/clone' };

it('a path is relative to the folder in which the npm script was typed', () => {
  expect(typedPath('x.ndjson', typedInDocs, '/clone')).toBe('/clone/docs/x.ndjson');
  expect(typedPath('../x', typedInDocs, '/clone')).toBe('/clone/x');
});

it('an absolute path stays as it is', () => {
  expect(typedPath('/tmp/x', typedInDocs, '/clone')).toBe('/tmp/x');
});

it('without npm, or in another folder than the script’s, a path is relative to the working folder', () => {
  expect(typedPath('x', {}, '/somewhere')).toBe('/somewhere/x');
  expect(typedPath('x', typedInDocs, '/somewhere')).toBe('/somewhere/x');
});
