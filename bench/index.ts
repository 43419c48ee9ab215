import adamw from './adamw.bench';
import add from './add.bench';
import alignment from './alignment.bench';
import attention from './attention.bench';
import augment from './augment.bench';
import concat from './concat.bench';
import crossEntropy from './crossEntropy.bench';
import distillation from './distillation.bench';
import gelu from './gelu.bench';
import gradnorm from './gradnorm.bench';
import layernorm from './layernorm.bench';
import linear from './linear.bench';
import mask from './mask.bench';
import maskedMse from './maskedMse.bench';
import matmul from './matmul.bench';
import mixture from './mixture.bench';
import mlp from './mlp.bench';
import patchify from './patchify.bench';
import philox from './philox.bench';
import reduce from './reduce.bench';
import sameBits from './sameBits.bench';
import softmax from './softmax.bench';
import sumPartials from './sumPartials.bench';
import tokens from './tokens.bench';
import weightedSum from './weightedSum.bench';
import type { BenchSuite } from './bench';

/** Every suite; the training step, which is more than one kernel, is timed by `step.bench.ts`. */
export const suites: readonly BenchSuite[] = [
  adamw,
  add,
  alignment,
  attention,
  augment,
  concat,
  crossEntropy,
  distillation,
  gelu,
  gradnorm,
  layernorm,
  linear,
  mask,
  maskedMse,
  matmul,
  mixture,
  mlp,
  patchify,
  philox,
  reduce,
  sameBits,
  softmax,
  sumPartials,
  tokens,
  weightedSum,
];
