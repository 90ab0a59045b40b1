/**
 * The commands behind `npm run gateway:render`, `gateway:check` and `gateway:reload`. Exit codes: 0 done, 1 a finding, 2 wrong usage, 3
 * something outside is missing (a schema, a folder).
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bypassProxiesOnLoopback, typedPath, watchOutput } from '@parley/cli';
import { z } from 'zod';
import { SchemasUnavailable } from './check/schemas.ts';
import { checkGateway } from './cli/check.ts';
import { applyPolicy } from './envoy/policy-files.ts';
import { policyFrom } from './policy/overrides.ts';
import { committedTarget, renderAll, renderedDir } from './cli/rendered.ts';

const usage = `usage:
  npm run gateway:render -- [--out <dir>] [--jwks <file>] [--host <address>] [--port-base <n>]
                            [--collector <host:port>]
      writes the gateway's policy as Envoy's bootstrap, as APISIX's standalone file and config.yaml, and as
      APISIX's custom resources for Kubernetes
      --out        default: gateway-config/rendered, whose files are committed
      --jwks       the issuer's public keys; default: an example that signs nothing
      --host       where the services are; default 127.0.0.1
      --port-base  what the services' ports are counted from; default 4000
      --collector  where APISIX sends its spans, by OTLP over HTTP; default: it makes none
  npm run gateway:check -- [--schema <file or URL>] [--dir <dir>] [--json]
      looks for what APISIX would drop or take for something else, and for drift of the committed files
      --schema     what GET /v1/schema of APISIX's control API answers, as a file or its URL; default:
                   ../shared/apisix/schema-3.18.0.json beside the clone, where it is
      --dir        the folder with apisix.yaml and config.yaml; default: gateway-config/rendered
  npm run gateway:reload -- [--policy <file>]
      hands the running stack's gateway (PARLEY_RUN_DIR) its keys and another policy, without a restart
      --policy     a JSON document with what is other than Parley's own policy, such as
                   {"limits": {"client": {"requests": 200}}}; default: Parley's own`;

const exitCodes = { ok: 0, failed: 1, usage: 2, environment: 3 } as const;

/** Where a laboratory keeps them; elsewhere they are got from a running APISIX. */
const besideClone = resolve(import.meta.dirname, '../../../shared/apisix/schema-3.18.0.json');

class UsageError extends Error {
  override readonly name = 'UsageError';
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const portBaseOf = (text: string): number => {
  const portBase = Number(text);
  if (!/^\d{4,5}$/.test(text) || portBase < 1024 || portBase > 65_000)
    throw new UsageError(`--port-base ${text} is no port`);
  return portBase;
};

const collectorOf = (text: string): string => {
  if (!/^[A-Za-z0-9.-]+:\d{1,5}$/.test(text)) throw new UsageError(`--collector ${text} is not host:port`);
  return text;
};

const render = async (args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      out: { type: 'string' },
      jwks: { type: 'string' },
      host: { type: 'string' },
      'port-base': { type: 'string' },
      collector: { type: 'string' },
    },
  });
  const target = committedTarget();
  const out = values.out === undefined ? renderedDir : typedPath(values.out);
  const files = renderAll({
    ...target,
    ...(values.jwks === undefined ? {} : { jwks: await readFile(typedPath(values.jwks), 'utf8') }),
    host: values.host ?? target.host,
    portBase: values['port-base'] === undefined ? target.portBase : portBaseOf(values['port-base']),
    ...(values.collector === undefined ? {} : { collector: collectorOf(values.collector) }),
  });
  await mkdir(out, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(out, name), text);
    say(join(out, name));
  }
  return exitCodes.ok;
};

const check = async (args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      schema: { type: 'string' },
      dir: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const { dir } = values;
  const schema = values.schema ?? (existsSync(besideClone) ? besideClone : undefined);
  const report = await checkGateway({
    ...(schema === undefined ? {} : { schema: /^https?:/.test(schema) ? schema : typedPath(schema) }),
    ...(dir === undefined ? {} : { dir: typedPath(dir) }),
  });
  const { findings, schemas } = report;
  if (values.json) say(JSON.stringify(report, undefined, 2));
  else {
    for (const finding of findings) say(`✗ ${finding}`);
    say(
      schemas === undefined
        ? 'no schema was given, so nothing was validated against one: --schema <file or URL of /v1/schema>'
        : `validated against the schemas of ${schemas}`,
    );
    say(findings.length === 0 ? 'the gateway’s files have no findings' : `${findings.length} findings`);
  }
  return findings.length === 0 ? exitCodes.ok : exitCodes.failed;
};

const Running = z.looseObject({ gateway: z.looseObject({ admin: z.url() }) });

const reload = async (args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({ args: [...args], options: { policy: { type: 'string' } } });
  const policy = policyFrom(
    values.policy === undefined ? '{}' : await readFile(typedPath(values.policy), 'utf8'),
  );
  const runDir = resolve(import.meta.dirname, '../..', process.env.PARLEY_RUN_DIR ?? '.parley');
  const { gateway } = Running.parse(JSON.parse(await readFile(join(runDir, 'endpoints.json'), 'utf8')));
  const jwks = await readFile(join(runDir, 'gateway/jwks.json'), 'utf8');
  await applyPolicy(join(runDir, 'gateway/policy'), { policy, jwks }, gateway.admin);
  say('the gateway has taken the policy');
  return exitCodes.ok;
};

const dispatch = async ([command, ...args]: readonly string[]): Promise<number> => {
  if (command === '--help' || args.includes('--help')) {
    say(usage);
    return exitCodes.ok;
  }
  if (command === 'render') return render(args);
  if (command === 'check') return check(args);
  if (command === 'reload') return reload(args);
  throw new UsageError(command === undefined ? 'no command' : `unknown command ${command}`);
};

const exitCodeOf = (error: unknown): number => {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof SchemasUnavailable) return exitCodes.environment;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS')) return exitCodes.usage;
  return code === 'ENOENT' ? exitCodes.environment : exitCodes.failed;
};

bypassProxiesOnLoopback(process.env);
watchOutput({ closed: () => process.exit(exitCodes.ok), failed: () => process.exit(exitCodes.failed) });
try {
  process.exitCode = await dispatch(process.argv.slice(2));
} catch (error) {
  const exitCode = exitCodeOf(error);
  process.stderr.write(
    `${error instanceof Error ? error.message : String(error)}${exitCode === exitCodes.usage ? `\n\n${usage}` : ''}\n`,
  );
  process.exitCode = exitCode;
}
