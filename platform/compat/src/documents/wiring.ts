/**
 * Who produces and who consumes what, read from the source: each service's aggregates, reactions, projections, queue
 * publishers and consumers as they are declared, and the events that its core makes. Nothing is listed by hand.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import { eventSchemas } from '@parley/contracts/events';
import * as queues from '@parley/contracts/queues';
import * as topics from '@parley/contracts/topics';
import ts from 'typescript';

export interface Reaction {
  readonly group: string;
  readonly topic: string;
  /** The event types it acts on, sorted. */
  readonly types: readonly string[];
}

export interface ServiceWiring {
  readonly service: ServiceName;
  /** Event types that its core makes, sorted. */
  readonly produces: readonly string[];
  readonly reactions: readonly Reaction[];
  /** Read models that it folds. */
  readonly projections: readonly { readonly name: string; readonly topic: string }[];
  /** Queues, by name. */
  readonly publishesTo: readonly string[];
  readonly consumesFrom: readonly string[];
}

/** A declaration as it stands in a file; names are those of the file. */
interface Definition {
  readonly kind: 'aggregate' | 'projection' | 'reaction';
  readonly exportedAs: string;
  readonly topic: string;
  readonly name: string;
  readonly types: readonly string[] | undefined;
}

const definitionTypes = {
  AggregateDefinition: 'aggregate',
  ProjectionDefinition: 'projection',
  ReactionDefinition: 'reaction',
} as const;

const topicByIdentifier = new Map(
  Object.entries(topics).flatMap(([identifier, topic]) =>
    'schemas' in topic ? [[identifier, topic] as const] : [],
  ),
);
const queueByIdentifier = new Map(
  Object.entries(queues).flatMap(([identifier, queue]) =>
    'queue' in queue && typeof queue.queue === 'string' ? [[identifier, queue.queue] as const] : [],
  ),
);
const eventTypes = new Set(Object.values(eventSchemas).flatMap((events) => Object.keys(events)));

const sourcesUnder = (dir: string): readonly ts.SourceFile[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2024, true));

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  node.forEachChild((child) => {
    visit(child, see);
  });
}

const property = (object: ts.ObjectLiteralExpression, name: string): ts.Expression | undefined => {
  for (const member of object.properties) {
    if (ts.isPropertyAssignment(member) && member.name.getText() === name) return member.initializer;
  }
  return undefined;
};

/** Constants of some files: `const NAME = 'text'`. */
function constantsOf(files: readonly ts.SourceFile[]): ReadonlyMap<string, string> {
  const constants = new Map<string, string>();
  for (const file of files) {
    visit(file, (node) => {
      if (!ts.isVariableDeclaration(node) || node.initializer === undefined) return;
      if (ts.isStringLiteral(node.initializer)) constants.set(node.name.getText(), node.initializer.text);
    });
  }
  return constants;
}

const textOf = (
  node: ts.Expression | undefined,
  constants: ReadonlyMap<string, string>,
): string | undefined => {
  if (node === undefined) return undefined;
  if (ts.isStringLiteral(node)) return node.text;
  return ts.isIdentifier(node) ? constants.get(node.text) : undefined;
};

/** The object literal that a typed constant or a function with a typed result holds. */
function literalOf(
  node: ts.VariableDeclaration,
): { type: ts.TypeNode; object: ts.ObjectLiteralExpression } | undefined {
  const value = node.initializer;
  if (value === undefined) return undefined;
  if (node.type !== undefined && ts.isObjectLiteralExpression(value))
    return { type: node.type, object: value };
  if (!ts.isArrowFunction(value) || value.type === undefined) return undefined;
  const body = ts.isParenthesizedExpression(value.body) ? value.body.expression : value.body;
  return ts.isObjectLiteralExpression(body) ? { type: value.type, object: body } : undefined;
}

function definitionsIn(files: readonly ts.SourceFile[]): readonly Definition[] {
  const constants = constantsOf(files);
  const found: Definition[] = [];
  for (const file of files) {
    visit(file, (node) => {
      if (!ts.isVariableDeclaration(node)) return;
      const literal = literalOf(node);
      if (literal === undefined || !ts.isTypeReferenceNode(literal.type)) return;
      const typeName = literal.type.typeName.getText();
      if (!(typeName in definitionTypes)) return;
      const kind = definitionTypes[typeName as keyof typeof definitionTypes]; // checked on the line above
      const topic = topicByIdentifier.get(property(literal.object, 'topic')?.getText() ?? '');
      const name = textOf(property(literal.object, kind === 'reaction' ? 'group' : 'name'), constants);
      if (topic === undefined || name === undefined)
        throw new Error(`${file.fileName}: ${node.name.getText()} has no topic or name that can be read`);
      const types = property(literal.object, 'types');
      found.push({
        kind,
        exportedAs: node.name.getText(),
        topic: topic.name,
        name,
        types:
          types !== undefined && ts.isArrayLiteralExpression(types)
            ? types.elements.filter(ts.isStringLiteral).map(({ text }) => text)
            : undefined,
      });
    });
  }
  return found;
}

/** Names imported from a read model's package, as that package exports them. */
function importedProjections(files: readonly ts.SourceFile[]): ReadonlyMap<string, ReadonlySet<string>> {
  const imported = new Map<string, Set<string>>();
  for (const file of files) {
    for (const statement of file.statements) {
      if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
      const view = /^@parley\/projection-(.+)$/.exec(statement.moduleSpecifier.text)?.[1];
      const bindings = statement.importClause?.namedBindings;
      if (view === undefined || bindings === undefined || !ts.isNamedImports(bindings)) continue;
      const names = imported.get(view) ?? new Set();
      for (const element of bindings.elements) names.add((element.propertyName ?? element.name).text);
      imported.set(view, names);
    }
  }
  return imported;
}

function producedBy(core: readonly ts.SourceFile[]): readonly string[] {
  const made = new Set<string>();
  for (const file of core) {
    visit(file, (node) => {
      if (!ts.isObjectLiteralExpression(node)) return;
      const type = textOf(property(node, 'type'), new Map());
      const hasData = node.properties.some((member) => member.name?.getText() === 'data');
      if (type !== undefined && eventTypes.has(type) && hasData) made.add(type);
    });
  }
  return [...made].sort();
}

function queuesOf(files: readonly ts.SourceFile[], method: 'publisher' | 'consume'): readonly string[] {
  const used = new Set<string>();
  for (const file of files) {
    visit(file, (node) => {
      if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
      if (node.expression.name.text !== method) return;
      const queue = queueByIdentifier.get(node.arguments[0]?.getText() ?? '');
      if (queue !== undefined) used.add(queue);
    });
  }
  return [...used].sort();
}

const typesOn = (topic: string): readonly string[] =>
  [...topicByIdentifier.values()]
    .filter(({ name }) => name === topic)
    .flatMap(({ schemas }) => Object.keys(schemas));

/** The wiring of every service, in the order in which an order meets them. */
export function readWiring(repositoryDir: string): readonly ServiceWiring[] {
  return serviceNames.map((service) => {
    const files = sourcesUnder(join(repositoryDir, 'domains', service, 'src'));
    const core = files.filter(({ fileName }) => fileName.includes(join(service, 'src', 'core')));
    const views = [...importedProjections(files)].flatMap(([view, names]) =>
      definitionsIn(sourcesUnder(join(repositoryDir, 'projections', view, 'src'))).filter(({ exportedAs }) =>
        names.has(exportedAs),
      ),
    );
    const definitions = [...definitionsIn(files), ...views];
    const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
      a.name < b.name ? -1 : 1;
    return {
      service,
      produces: producedBy(core),
      reactions: definitions
        .filter(({ kind }) => kind === 'reaction')
        .sort(byName)
        .map(({ name, topic, types }) => ({
          group: name,
          topic,
          types: [...(types ?? typesOn(topic))].sort(),
        })),
      projections: definitions
        .filter(({ kind }) => kind === 'projection')
        .sort(byName)
        .map(({ name, topic }) => ({ name, topic })),
      publishesTo: queuesOf(files, 'publisher'),
      consumesFrom: queuesOf(files, 'consume'),
    };
  });
}
