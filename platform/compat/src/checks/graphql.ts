import {
  buildSchema,
  DangerousChangeType,
  findBreakingChanges,
  findDangerousChanges,
  isInputObjectType,
  type GraphQLSchema,
} from 'graphql';
import type { Contracts } from '../contract-files.ts';
import { CURRENT, type CheckResult } from '../report.ts';

interface Change {
  readonly type: string;
  readonly description: string;
}

const shown = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value));

/** Defaults of arguments and of input fields that are others now: a call that leaves them out means something else. */
function changedDefaults(before: GraphQLSchema, after: GraphQLSchema): readonly Change[] {
  const ofArguments = findDangerousChanges(before, after).filter(
    ({ type }) => type === DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE,
  );
  const ofInputs = Object.values(before.getTypeMap()).flatMap((type): Change[] => {
    const now = after.getType(type.name);
    if (!isInputObjectType(type) || !isInputObjectType(now)) return [];
    return Object.values(type.getFields()).flatMap(({ name, defaultValue }) => {
      const field = now.getFields()[name];
      const [was, is] = [shown(defaultValue), shown(field?.defaultValue)];
      if (field === undefined || was === is) return [];
      const description = `${type.name}.${name} has changed defaultValue from ${was} to ${is}.`;
      return [{ type: 'INPUT_FIELD_DEFAULT_VALUE_CHANGE', description }];
    });
  });
  return [...ofArguments, ...ofInputs];
}

/** GraphQL: no document that a release accepted may stop to work, or mean something else. graphql-js decides. */
export function checkGraphql(current: Contracts, releases: readonly Contracts[]): CheckResult {
  const today = buildSchema(current.graphqlSdl);
  const findings = releases.flatMap((release) => {
    const released = buildSchema(release.graphqlSdl);
    const changes: readonly Change[] = [
      ...findBreakingChanges(released, today),
      ...changedDefaults(released, today),
    ];
    return changes.map(({ type, description }) => ({
      contract: 'graphql',
      rule: `graphql/${type.toLowerCase().replaceAll('_', '-')}`,
      versions: { released: release.version, current: CURRENT },
      broke: description,
      remedy: 'Keep what was there and mark it @deprecated; add the new field, argument or type beside it.',
    }));
  });
  return { check: 'graphql', compared: releases.length, findings };
}
