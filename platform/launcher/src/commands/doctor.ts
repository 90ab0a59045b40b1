import type { Command } from '../cli/command.ts';
import { exitCodes } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { formatTable } from '../cli/table.ts';
import type { EngineHost } from '../stack/engine-host.ts';

/** `npm run doctor`: what is there, in which version, and how to mend what is not. */
export const doctorCommandOn = (host: Pick<EngineHost, 'doctor'>): Command => ({
  name: 'doctor',
  summary: 'shows each prerequisite and engine: there or not, its version, the command that mends it',
  help: ['--json    the same for programs; the exit code is 3 when something is missing either way'],
  options: { json: { type: 'boolean' } },
  run: async ({ json }) => {
    const checks = await host.doctor();
    const rows = checks.map(({ ok, name, version, mend }) => [
      ok ? '✓' : '✗',
      name,
      version ?? '',
      ok ? '' : (mend ?? ''),
    ]);
    outputTo(process.stdout).line(json === true ? JSON.stringify(checks, undefined, 2) : formatTable(rows));
    return checks.every((check) => check.ok) ? exitCodes.ok : exitCodes.environment;
  },
});
