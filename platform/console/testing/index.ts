export { browserNeeds, openPage, type BrowserOptions, type OpenPage } from './browser.ts';
