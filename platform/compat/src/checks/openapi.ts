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

/** One operation: where it is, and its path as it was and as it is. */
interface Place {
  readonly where: string;
  readonly was: string;
  readonly is: string;
}

const PATH_PARAMETER = /\{([^}]*)\}/g;

/** A path without the names of its parameters, which no client ever sends. */
const shapeOf = (path: string): string => path.replaceAll(PATH_PARAMETER, '{}');

/** What a client knows a parameter by: its name, or its place in the path. */
const parametersOf = (operation: Part, path: string): ReadonlyMap<string, Part> => {
  const inPath = [...path.matchAll(PATH_PARAMETER)].map(([, name]) => name);
  return new Map(
    operation.list('parameters').map((part) => {
      const { in: at, name } = part.node;
      const key = at === 'path' ? `#${String(inPath.indexOf(String(name)))}` : String(name);
      return [`${String(at)} ${key}`, part];
    }),
  );
};

function compareParameters(before: Part, after: Part, { where, was, is }: Place, say: Say): void {
  const known = parametersOf(before, was);
  const today = parametersOf(after, is);
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
    for (const header of was.keys('headers')) {
      const [sent, same] = [was.at('headers', header), is.at('headers', header)];
      if (same === undefined) say('response-header-removed', `${at}: header ${header} is gone`);
      else if (sent !== undefined)
        compareSchemas(sent, same, 'response', (change) => {
          say(`response-header/${change.rule}`, `${at}: header ${header}: ${describeChange(change)}`);
        });
    }
    compareContent(was, is, 'response', { where: `${at}:`, say });
  }
  for (const status of today)
    if (status.startsWith('2') && before.at('responses', status) === undefined)
      say('response-added', `${where}: ${status} is a success that clients do not know`);
}

const isOpen = (operation: Part): boolean =>
  !Array.isArray(operation.node.security) || operation.node.security.length === 0;

/** The ways in: each a set of schemes, by name and definition. What a scheme is called in words does not count. */
const waysIn = (operation: Part): readonly string[] =>
  operation.list('security').map(({ node }) =>
    JSON.stringify(
      Object.entries(node)
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([name, scopes]) => {
          const schemes = new Part(operation.root, operation.root).at('components', 'securitySchemes', name);
          const scheme = Object.entries(schemes?.node ?? {}).filter(([key]) => key !== 'description');
          return [name, scopes, scheme.sort(([a], [b]) => a.localeCompare(b))];
        }),
    ),
  );

function compareSecurity(before: Part, after: Part, where: string, say: Say): void {
  if (isOpen(after)) return;
  if (isOpen(before)) {
    say('security-required', `${where}: a token is required now`);
    return;
  }
  const today = waysIn(after);
  if (waysIn(before).some((way) => !today.includes(way)))
    say(
      'security-changed',
      `${where}: what let a client in before no longer does: its security scheme changed`,
    );
}

function compareOperations(before: Part, after: Part, place: Place, say: Say): void {
  const { where } = place;
  compareSecurity(before, after, where, say);
  compareParameters(before, after, place, say);
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
    const paths = new Map(today.keys('paths').map((path) => [shapeOf(path), path]));
    for (const path of released.keys('paths')) {
      for (const method of METHODS) {
        const was = released.at('paths', path, method);
        if (was === undefined) continue;
        compared++;
        const where = `${method.toUpperCase()} ${path}`;
        const now = paths.get(shapeOf(path)) ?? path;
        const is = today.at('paths', now, method);
        if (is === undefined) say('operation-removed', `${where} is gone`);
        else compareOperations(was, is, { where, was: path, is: now }, say);
      }
    }
  }
  return { check: 'openapi', compared, findings };
}
