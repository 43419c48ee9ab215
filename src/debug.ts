/** `palimpsest/debug`: what looks for kernels that are wrong. */
export { compareKernels } from './tensor/kernelComparison';
export type { ProgramDebugger } from './tensor/debugging';
