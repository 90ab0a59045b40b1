import { expect, it } from 'vitest';
import { debianPackage, fixFor, maven } from './debian.ts';

const install = 'apt-get install -y --no-install-recommends rabbitmq-server maven';

it.each([
  [{ isRoot: true, hasSudo: false }, `apt-get update && ${install}`],
  [{ isRoot: true, hasSudo: true }, `apt-get update && ${install}`],
  [{ isRoot: false, hasSudo: true }, `sudo apt-get update && sudo ${install}`],
  [{ isRoot: false, hasSudo: false }, `su -c 'apt-get update && ${install}'`],
])('what is missing comes by one command that works with the rights there are: %j', (rights, command) => {
  expect(
    fixFor([debianPackage('rabbitmq', { package: 'rabbitmq-server', file: '/nowhere' }), maven], rights),
  ).toBe(command);
});
