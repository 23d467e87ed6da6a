// Export list, nothing else. Grouped by room; one line per file.
export { build_kind } from './kernels/build';
export { barrier } from './kernels/barrier';
