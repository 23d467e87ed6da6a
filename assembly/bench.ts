// Export list of the probes, nothing else: a second module on the same memory as index.ts, loaded only to measure what a machine can do.
// It has no tables; should it get some, they lie at 48 KiB and up (scripts/kernel-sets.mjs, TABLES).
export { probe_float_forms, probe_float_operations, probe_float, probe_dot, probe_integer_forms, probe_integer_operations, probe_integer, probe_read } from './kernels/probe';
