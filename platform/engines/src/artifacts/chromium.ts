import type { ObtainControl } from './cache.ts';
import { debianPackage, ensure } from './debian.ts';

/** The browser itself. */
export const chromium = debianPackage('chromium', { package: 'chromium', file: '/usr/bin/chromium' });

/** The browser that end-to-end tests look at the console with, from Debian. Throws EnvironmentError when it may not be installed. */
export const obtainBrowser = (control?: ObtainControl): Promise<void> => ensure([chromium], control);
