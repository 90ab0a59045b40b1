import fc from 'fast-check';

const defaultSeed = 20_261_124;

/** Property tests are the same in every run; PARLEY_TEST_SEED looks elsewhere. */
fc.configureGlobal({ seed: Number(process.env.PARLEY_TEST_SEED ?? defaultSeed) });
