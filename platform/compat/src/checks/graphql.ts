import { buildSchema, findBreakingChanges } from 'graphql';
import type { Contracts } from '../contract-files.ts';
import { CURRENT, type CheckResult } from '../report.ts';

/** GraphQL: no document that a release accepted may stop to work. graphql-js decides. */
export function checkGraphql(current: Contracts, releases: readonly Contracts[]): CheckResult {
  const today = buildSchema(current.graphqlSdl);
  const findings = releases.flatMap((release) =>
    findBreakingChanges(buildSchema(release.graphqlSdl), today).map(({ type, description }) => ({
      contract: 'graphql',
      rule: `graphql/${type.toLowerCase().replaceAll('_', '-')}`,
      versions: { released: release.version, current: CURRENT },
      broke: description,
      remedy: 'Keep what was there and mark it @deprecated; add the new field, argument or type beside it.',
    })),
  );
  return { check: 'graphql', compared: releases.length, findings };
}
