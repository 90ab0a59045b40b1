import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { GatewayPolicy } from '../policy/policy.ts';
import { routeConfig, routeConfigName, routesFile } from './route-config.ts';
import { tokenConfig, tokenFilterName, tokensFile } from './tokens.ts';
import { typed } from './typed.ts';

/** What may change while a gateway runs. */
export interface ChangingPolicy {
  /** Its routes, limits, pages of other origins and tokens; the rest is read at the gateway's start. */
  readonly policy: GatewayPolicy;
  /** The issuer's public keys as a JWKS document. */
  readonly jwks: string;
}

/** Envoy did not take a policy; the one before is in force, all of it. */
export class PolicyRefused extends Error {
  override readonly name = 'PolicyRefused';
}

const takenDeadlineMs = 10_000;
const pollMs = 10;

const statOf: Readonly<Record<string, string>> = {
  [routesFile]: `http.gateway.rds.${routeConfigName}`,
  [tokensFile]: `extension_config_discovery.http_filter.${tokenFilterName}`,
};

/** In the order in which they are handed over: keys last, so that those of a policy whose routes are refused never count. */
const filesOf = ({ policy, jwks }: ChangingPolicy): Readonly<Record<string, string>> => ({
  [routesFile]: JSON.stringify({
    resources: [typed('envoy.config.route.v3.RouteConfiguration', routeConfig(policy))],
  }),
  [tokensFile]: JSON.stringify({
    resources: [
      typed('envoy.config.core.v3.TypedExtensionConfig', {
        name: tokenFilterName,
        typed_config: tokenConfig(policy, { inline_string: jwks }),
      }),
    ],
  }),
});

/** Envoy sees only what is renamed into place. */
const write = async (folder: string, name: string, text: string): Promise<void> => {
  const whole = join(folder, `${name}.${randomUUID()}`);
  await writeFile(whole, text);
  await rename(whole, join(folder, name));
};

/** Leaves the policy in the folder from which a gateway starts. */
export const writePolicy = async (folder: string, changing: ChangingPolicy): Promise<void> => {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(filesOf(changing))) await write(folder, name, text);
};

interface Counts {
  readonly taken: number;
  readonly refused: number;
}

const countsOf = async (adminUrl: string, name: string): Promise<Counts> => {
  const url = new URL(`/stats?filter=${encodeURIComponent(statOf[name] ?? name)}`, adminUrl);
  const text = await (await fetch(url, { signal: AbortSignal.timeout(takenDeadlineMs) })).text();
  const value = (counter: string): number => Number(new RegExp(`\\.${counter}: (\\d+)`).exec(text)?.[1] ?? 0);
  return { taken: value('update_success'), refused: value('update_rejected') + value('update_failure') };
};

/** Whether the running gateway takes the file that has been put into place, in time. */
const isTaken = async (name: string, before: Counts, adminUrl: string): Promise<boolean> => {
  const endsAt = performance.now() + takenDeadlineMs;
  for (;;) {
    const now = await countsOf(adminUrl, name);
    if (now.refused > before.refused) return false;
    if (now.taken > before.taken) return true;
    if (performance.now() > endsAt) return false;
    await delay(pollMs);
  }
};

/** Puts a file into place, and answers whether the running gateway has taken it. */
const handOver = async (folder: string, name: string, text: string, adminUrl: string): Promise<boolean> => {
  const before = await countsOf(adminUrl, name);
  await write(folder, name, text);
  return isTaken(name, before, adminUrl);
};

/** Whatever Envoy says, the files are those from before; answers whether it has taken them. Rejects only when they cannot be written. */
const putBack = async (
  folder: string,
  written: readonly { readonly name: string; readonly before: string }[],
  adminUrl: string,
): Promise<boolean> => {
  let isBack = true;
  for (const { name, before } of written) {
    const counts = await countsOf(adminUrl, name).catch(() => undefined);
    await write(folder, name, before);
    isBack &&= counts !== undefined && (await isTaken(name, counts, adminUrl).catch(() => false));
  }
  return isBack;
};

/**
 * Hands a running gateway another policy, without a restart and without an error for anyone; counted requests stay
 * counted. Resolves when all of it is in force. @throws PolicyRefused when Envoy refuses a part of it: then none is.
 */
export const applyPolicy = async (
  folder: string,
  changing: ChangingPolicy,
  adminUrl: string,
): Promise<void> => {
  const written: { readonly name: string; readonly before: string }[] = [];
  for (const [name, text] of Object.entries(filesOf(changing))) {
    const before = await readFile(join(folder, name), 'utf8');
    if (before === text) continue;
    written.push({ name, before });
    const taken = handOver(folder, name, text, adminUrl);
    if (await taken.catch(() => false)) continue;
    const isBack = await putBack(folder, written, adminUrl);
    await taken; // what kept Envoy from answering says more than that it refuses
    const then = isBack
      ? 'is in force'
      : 'is in its files again, and Envoy has not said that it has taken it';
    throw new PolicyRefused(`Envoy refuses ${name}: its log says why. The policy before ${then}`);
  }
};
