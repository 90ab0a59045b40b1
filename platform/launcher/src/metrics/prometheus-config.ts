import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { addressesOf } from '@parley/engines';
import { enginesOf, type StackContext } from '../stack/context.ts';
import { registeredPath, targetsPath } from './targets.ts';

/** How often everything is asked and every rule evaluated, in seconds: an alert is at most this much later. */
export const scrapeIntervalS = 5;
/** Of one target; beyond them a scrape is refused as a whole, so that no label can grow without bound. */
export const samplesMax = 5000;

/** The alert rules, each file with its tests beside it. */
export const rulesFolder = join(import.meta.dirname, '..', '..', 'alerts');

/** Engines of a stack that show metrics of their own. */
const engineTargets = (context: StackContext): object[] =>
  enginesOf(context).flatMap((name) => {
    const { metrics } = addressesOf(name, context.portBase, enginesOf(context));
    return metrics === undefined
      ? []
      : [
          {
            targets: [`127.0.0.1:${metrics.port}`],
            labels: {
              instance: name,
              engine: name,
              __metrics_path__: metrics.path,
              ...Object.fromEntries(
                Object.entries(metrics.query ?? {}).map(([key, value]) => [`__param_${key}`, value]),
              ),
            },
          },
        ];
  });

/** Prometheus' configuration for a stack: the instances from a list that changes, the engines, and the rules. */
export const prometheusConfig = (context: StackContext): object => ({
  global: { scrape_interval: `${scrapeIntervalS}s`, evaluation_interval: `${scrapeIntervalS}s` },
  rule_files: [join(rulesFolder, '*.rules.yaml')],
  scrape_configs: [
    {
      job_name: 'services',
      scrape_timeout: '3s',
      sample_limit: samplesMax,
      file_sd_configs: [{ files: [targetsPath(context.runDir), registeredPath(context.runDir)] }],
    },
    {
      job_name: 'engines',
      scrape_timeout: '3s',
      sample_limit: samplesMax,
      static_configs: engineTargets(context),
    },
  ],
});

/** Writes the configuration of a stack's Prometheus and answers its path. */
export const writePrometheusConfig = async (context: StackContext): Promise<string> => {
  const path = join(context.runDir, 'prometheus', 'prometheus.yaml');
  await mkdir(dirname(targetsPath(context.runDir)), { recursive: true });
  await writeFile(path, JSON.stringify(prometheusConfig(context), undefined, 2)); // JSON is YAML
  return path;
};
