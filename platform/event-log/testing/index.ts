export * from './feature-suite.ts';
