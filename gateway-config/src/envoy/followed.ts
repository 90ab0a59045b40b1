import { join } from 'node:path';
import type { Fragment } from './typed.ts';

/** A file that Envoy reads at its start and again whenever another is renamed into its place. */
export const followedFile = (folder: string, name: string): Fragment => ({
  resource_api_version: 'V3',
  path_config_source: { path: join(folder, name), watched_directory: { path: folder } },
});
