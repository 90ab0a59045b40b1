export { endProcess, watchOutput } from './output.ts';
export { typedPath } from './typed-path.ts';
