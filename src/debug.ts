/** `palimpsest/debug`: what looks for kernels and gradients that are wrong, beside what an app ships. */
export { checkGradient, type CheckOptions, type ReferenceValues } from './engine/checkGradient';
export { compareKernels } from './tensor/kernelComparison';
export type { ProgramDebugger } from './tensor/debugging';
