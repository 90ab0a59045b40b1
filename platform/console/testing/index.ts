export { openPage, type BrowserOptions, type OpenPage } from './browser.ts';
