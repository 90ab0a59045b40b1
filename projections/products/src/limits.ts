import {
  Kind,
  type ASTVisitor,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { createGraphQLError } from 'graphql-yoga';

/** Deepest nesting of fields, the top-level field being 1, and most fields, each times the size of the lists it is in. */
interface Limit {
  readonly depthMax: number;
  readonly costMax: number;
}

/** What one query may ask for: of the data, and of the schema (`__schema`, `__type`), which is deeper and cheaper. */
export interface QueryLimits extends Limit {
  readonly introspection: Limit;
}

/** A list is counted by its `limit`; one that comes in a variable counts as the largest. */
const LIST_DEFAULT = 20;
const LIST_MAX = 100;

interface Weight {
  readonly depth: number;
  readonly cost: number;
}

/** Of a part of a document, its data and its introspection apart. */
interface Weights {
  readonly data: Weight;
  readonly introspection: Weight;
}

const weightless: Weight = { depth: 0, cost: 0 };
const nothing: Weights = { data: weightless, introspection: weightless };

const both = (one: Weight, other: Weight): Weight => ({
  depth: Math.max(one.depth, other.depth),
  cost: one.cost + other.cost,
});

const fieldsOf = (type: GraphQLNamedType): readonly GraphQLField<unknown, unknown>[] =>
  'getFields' in type ? Object.values((type as GraphQLObjectType).getFields()) : [];

/** How long the lists of introspection are on average in this schema. */
const introspectionLists = (schema: GraphQLSchema): ReadonlyMap<string, number> => {
  const types = Object.values(schema.getTypeMap());
  const fields = types.flatMap((type) => {
    // By kind and not by class: yoga may load another copy of graphql-js.
    const isObject = type.astNode?.kind === Kind.OBJECT_TYPE_DEFINITION;
    return isObject || type.name.startsWith('__') ? fieldsOf(type) : [];
  });
  const arguments_ = fields.flatMap(({ args }) => args);
  return new Map([
    ['types', types.length],
    ['fields', Math.ceil(fields.length / types.length)],
    ['args', Math.ceil(arguments_.length / Math.max(1, fields.length))],
    ['directives', schema.getDirectives().length],
  ]);
};

const listSize = (field: FieldNode, introspection: ReadonlyMap<string, number>): number => {
  if (field.name.value !== 'products') return introspection.get(field.name.value) ?? 1;
  const limit = field.arguments?.find((argument) => argument.name.value === 'limit')?.value;
  if (limit === undefined) return LIST_DEFAULT;
  if (limit.kind !== Kind.INT) return LIST_MAX;
  return Math.min(Math.max(Number(limit.value), 1), LIST_MAX);
};

/** Weighs the operations of one document; each fragment once. */
class Scales {
  readonly #context: ValidationContext;
  readonly #lists: ReadonlyMap<string, number>;
  readonly #fragments = new Map<string, Weights | 'open'>();

  constructor(context: ValidationContext) {
    this.#context = context;
    this.#lists = introspectionLists(context.getSchema());
  }

  weigh(set: SelectionSetNode): Weights {
    let sum = nothing;
    for (const selection of set.selections) {
      let weights: Weights;
      if (selection.kind === Kind.FRAGMENT_SPREAD)
        weights = this.#fragment(this.#context.getFragment(selection.name.value));
      else if (selection.kind === Kind.INLINE_FRAGMENT) weights = this.weigh(selection.selectionSet);
      else weights = this.#field(selection);
      sum = {
        data: both(sum.data, weights.data),
        introspection: both(sum.introspection, weights.introspection),
      };
    }
    return sum;
  }

  #fragment(definition: FragmentDefinitionNode | null | undefined): Weights {
    if (definition === undefined || definition === null) return nothing; // unknown fragments are refused by their own rule
    const known = this.#fragments.get(definition.name.value);
    if (known === 'open') return nothing; // as are cycles
    if (known !== undefined) return known;
    this.#fragments.set(definition.name.value, 'open');
    const weights = this.weigh(definition.selectionSet);
    this.#fragments.set(definition.name.value, weights);
    return weights;
  }

  #field(field: FieldNode): Weights {
    if (field.selectionSet === undefined) return { ...nothing, data: { depth: 1, cost: 1 } };
    const inner = this.weigh(field.selectionSet);
    const around = ({ depth, cost }: Weight): Weight => ({
      depth: depth + 1,
      cost: 1 + listSize(field, this.#lists) * cost,
    });
    const { value: name } = field.name;
    return name === '__schema' || name === '__type'
      ? { data: weightless, introspection: around(inner.data) }
      : { data: around(inner.data), introspection: inner.introspection };
  }
}

/** A validation rule that refuses what is deeper or dearer than the limits, before anything is resolved. */
export const queryLimits =
  (limits: QueryLimits): ValidationRule =>
  (context): ASTVisitor => {
    const scales = new Scales(context);
    return {
      OperationDefinition: (operation) => {
        const report = (what: string, value: number, max: number): void => {
          const message = `The query's ${what} is ${value}; at most ${max} is allowed.`;
          const extensions = { code: 'BAD_USER_INPUT' };
          context.reportError(createGraphQLError(message, { nodes: operation, extensions }));
        };
        const check = (prefix: string, { depth, cost }: Weight, { depthMax, costMax }: Limit): void => {
          if (depth > depthMax) report(`${prefix}depth`, depth, depthMax);
          if (cost > costMax) report(`${prefix}cost`, cost, costMax);
        };
        const { data, introspection } = scales.weigh(operation.selectionSet);
        check('', data, limits);
        check('introspection ', introspection, limits.introspection);
      },
    };
  };
