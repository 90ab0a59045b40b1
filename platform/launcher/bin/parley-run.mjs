#!/usr/bin/env node
// Plain JavaScript so that npm can link it; the rest is TypeScript.
await import('../src/run-service.ts');
