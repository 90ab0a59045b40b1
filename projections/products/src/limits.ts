import {
  Kind,
  type ASTVisitor,
  type FieldNode,
  type FragmentDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { createGraphQLError } from 'graphql-yoga';

/** What one query may ask for. */
export interface QueryLimits {
  /** Deepest nesting of fields, the top-level field being 1. */
  readonly depthMax: number;
  /** Fields, each times the size of the lists it is in. */
  readonly costMax: number;
}

/** A list is counted by its `limit`; one that comes in a variable counts as the largest. */
const LIST_DEFAULT = 20;
const LIST_MAX = 100;

interface Weight {
  readonly depth: number;
  readonly cost: number;
}

const listSize = (field: FieldNode): number => {
  if (field.name.value !== 'products') return 1;
  const limit = field.arguments?.find((argument) => argument.name.value === 'limit')?.value;
  if (limit === undefined) return LIST_DEFAULT;
  if (limit.kind !== Kind.INT) return LIST_MAX;
  return Math.min(Math.max(Number(limit.value), 1), LIST_MAX);
};

type FragmentWeights = Map<string, Weight | 'open'>;

const heaviest = (set: SelectionSetNode, context: ValidationContext, fragments: FragmentWeights): Weight => {
  const fragment = (definition: FragmentDefinitionNode | null | undefined): Weight => {
    const nothing: Weight = { depth: 0, cost: 0 };
    if (definition === undefined || definition === null) return nothing; // unknown fragments are refused by their own rule
    const known = fragments.get(definition.name.value);
    if (known === 'open') return nothing; // as are cycles
    if (known !== undefined) return known;
    fragments.set(definition.name.value, 'open');
    const weight = heaviest(definition.selectionSet, context, fragments);
    fragments.set(definition.name.value, weight);
    return weight;
  };
  let depth = 0;
  let cost = 0;
  for (const selection of set.selections) {
    let weight: Weight;
    if (selection.kind === Kind.FRAGMENT_SPREAD) weight = fragment(context.getFragment(selection.name.value));
    else if (selection.kind === Kind.INLINE_FRAGMENT) {
      weight = heaviest(selection.selectionSet, context, fragments);
    } else weight = fieldWeight(selection, context, fragments);
    depth = Math.max(depth, weight.depth);
    cost += weight.cost;
  }
  return { depth, cost };
};

const fieldWeight = (field: FieldNode, context: ValidationContext, fragments: FragmentWeights): Weight => {
  // Introspection has a rule of its own in graphql-js and a schema of fixed size.
  if (field.name.value.startsWith('__') || field.selectionSet === undefined) return { depth: 1, cost: 1 };
  const inner = heaviest(field.selectionSet, context, fragments);
  return { depth: inner.depth + 1, cost: 1 + listSize(field) * inner.cost };
};

/** A validation rule that refuses what is deeper or dearer than the limits, before anything is resolved. */
export const queryLimits =
  ({ depthMax, costMax }: QueryLimits): ValidationRule =>
  (context): ASTVisitor => {
    const fragments: FragmentWeights = new Map();
    return {
      OperationDefinition: (operation) => {
        const { depth, cost } = heaviest(operation.selectionSet, context, fragments);
        const report = (what: string, value: number, max: number): void => {
          const message = `The query's ${what} is ${value}; at most ${max} is allowed.`;
          const extensions = { code: 'BAD_USER_INPUT' };
          context.reportError(createGraphQLError(message, { nodes: operation, extensions }));
        };
        if (depth > depthMax) report('depth', depth, depthMax);
        if (cost > costMax) report('cost', cost, costMax);
      },
    };
  };
