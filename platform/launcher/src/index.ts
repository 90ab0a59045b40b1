export type { StackContext } from './stack/context.ts';
