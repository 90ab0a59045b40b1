/** OpenAPI: no client of a release may stop to work. Covers what our documents use. */
import type { Contracts } from '../contract-files.ts';
import { isObject, resolve, type JsonSchema, type JsonSchemaObject } from '../json-schema/accepts.ts';
import { breakingChanges, describeChange, type Change, type Role } from '../json-schema/changes.ts';
import { CURRENT, type CheckResult, type Finding } from '../report.ts';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

/** A part of one side's document. */
class Part {
  readonly root: JsonSchemaObject;
  readonly node: JsonSchemaObject;

  constructor(root: JsonSchemaObject, node: unknown) {
    this.root = root;
    const target = isObject(node) ? resolve({ schema: node, root }).schema : {};
    this.node = isObject(target) ? target : {};
  }

  at(...steps: readonly string[]): Part | undefined {
    let node: unknown = this.node;
    for (const step of steps) node = isObject(node) ? node[step] : undefined;
    return isObject(node) ? new Part(this.root, node) : undefined;
  }

  keys(step: string): readonly string[] {
    const node = this.node[step];
    return isObject(node) ? Object.keys(node) : [];
  }

  list(step: string): readonly Part[] {
    const node = this.node[step];
    return Array.isArray(node) ? node.map((item: unknown) => new Part(this.root, item)) : [];
  }

  get schema(): JsonSchema {
    const { schema } = this.node;
    return isObject(schema) || typeof schema === 'boolean' ? schema : true;
  }
}

type Say = (rule: string, broke: string) => void;

function compareSchemas(before: Part, after: Part, role: Role, say: (change: Change) => void): void {
  const changes = breakingChanges(
    { schema: before.schema, root: before.root },
    { schema: after.schema, root: after.root },
    role,
  );
  for (const change of changes) say(change);
}

function compareContent(
  before: Part,
  after: Part,
  role: Role,
  { where, say }: { where: string; say: Say },
): void {
  for (const type of before.keys('content')) {
    const [was, is] = [before.at('content', type), after.at('content', type)];
    if (was === undefined) continue;
    if (is === undefined) say(`${role}-media-type-removed`, `${where} no longer comes as ${type}`);
    else
      compareSchemas(was, is, role, (change) => {
        say(`${role}/${change.rule}`, `${where} ${describeChange(change)}`);
      });
  }
}

const parameterKey = (parameter: Part): string =>
  `${String(parameter.node.in)} ${String(parameter.node.name)}`;

function compareParameters(before: Part, after: Part, where: string, say: Say): void {
  const known = new Map(before.list('parameters').map((part) => [parameterKey(part), part]));
  const today = new Map(after.list('parameters').map((part) => [parameterKey(part), part]));
  for (const [key, parameter] of known) {
    const same = today.get(key);
    if (same === undefined) say('parameter-removed', `${where}: parameter ${key} is gone`);
    else
      compareSchemas(parameter, same, 'request', (change) => {
        say(`parameter/${change.rule}`, `${where}: parameter ${key}: ${describeChange(change)}`);
      });
  }
  for (const [key, parameter] of today) {
    if (parameter.node.required === true && known.get(key)?.node.required !== true)
      say('parameter-required', `${where}: parameter ${key} is required now`);
  }
}

function compareBody(before: Part, after: Part, where: string, say: Say): void {
  const [was, is] = [before.at('requestBody'), after.at('requestBody')];
  if (is?.node.required === true && was?.node.required !== true)
    say('body-required', `${where}: a request body is required now`);
  if (was === undefined) return;
  if (is === undefined) say('body-removed', `${where}: the request body is gone`);
  else compareContent(was, is, 'request', { where: `${where}: request body`, say });
}

function compareResponses(before: Part, after: Part, where: string, say: Say): void {
  const today = after.keys('responses');
  for (const status of before.keys('responses')) {
    const [was, is] = [before.at('responses', status), after.at('responses', status)];
    if (was === undefined) continue;
    if (is === undefined) {
      if (status.startsWith('2')) say('response-removed', `${where}: ${status} is never answered any more`);
      continue;
    }
    const at = `${where}: ${status}`;
    for (const header of was.keys('headers'))
      if (is.at('headers', header) === undefined)
        say('response-header-removed', `${at}: header ${header} is gone`);
    compareContent(was, is, 'response', { where: `${at}:`, say });
  }
  for (const status of today)
    if (status.startsWith('2') && before.at('responses', status) === undefined)
      say('response-added', `${where}: ${status} is a success that clients do not know`);
}

const isOpen = (operation: Part): boolean =>
  !Array.isArray(operation.node.security) || operation.node.security.length === 0;

function compareOperations(before: Part, after: Part, where: string, say: Say): void {
  if (isOpen(before) && !isOpen(after)) say('security-required', `${where}: a token is required now`);
  compareParameters(before, after, where, say);
  compareBody(before, after, where, say);
  compareResponses(before, after, where, say);
}

const remedy =
  'Keep what clients use and add beside it: an optional parameter or property, or a new path. Widen requests, never responses.';

/** Every operation of every release against today's. */
export function checkOpenApi(current: Contracts, releases: readonly Contracts[]): CheckResult {
  const findings: Finding[] = [];
  let compared = 0;
  const today = new Part(current.openApi, current.openApi);
  for (const release of releases) {
    const say: Say = (rule, broke) => {
      const versions = { released: release.version, current: CURRENT };
      findings.push({ contract: 'openapi', rule: `openapi/${rule}`, versions, broke, remedy });
    };
    const released = new Part(release.openApi, release.openApi);
    for (const path of released.keys('paths')) {
      for (const method of METHODS) {
        const was = released.at('paths', path, method);
        if (was === undefined) continue;
        compared++;
        const where = `${method.toUpperCase()} ${path}`;
        const is = today.at('paths', path, method);
        if (is === undefined) say('operation-removed', `${where} is gone`);
        else compareOperations(was, is, where, say);
      }
    }
  }
  return { check: 'openapi', compared, findings };
}
