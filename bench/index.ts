import adamw from './adamw.bench';
import add from './add.bench';
import alignment from './alignment.bench';
import attention from './attention.bench';
import augment from './augment.bench';
import batchNorm from './batchNorm.bench';
import concat from './concat.bench';
import crossEntropy from './crossEntropy.bench';
import distillation from './distillation.bench';
import dropPath from './dropPath.bench';
import gelu from './gelu.bench';
import gradnorm from './gradnorm.bench';
import lars from './lars.bench';
import layernorm from './layernorm.bench';
import linear from './linear.bench';
import mask from './mask.bench';
import maskedMse from './maskedMse.bench';
import matmul from './matmul.bench';
import mixImages from './mixImages.bench';
import mixture from './mixture.bench';
import mlp from './mlp.bench';
import muon from './muon.bench';
import patchify from './patchify.bench';
import philox from './philox.bench';
import pool from './pool.bench';
import randAugment from './randAugment.bench';
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
  batchNorm,
  concat,
  crossEntropy,
  distillation,
  dropPath,
  gelu,
  gradnorm,
  lars,
  layernorm,
  linear,
  mask,
  maskedMse,
  matmul,
  mixImages,
  mixture,
  mlp,
  muon,
  patchify,
  philox,
  pool,
  randAugment,
  reduce,
  sameBits,
  softmax,
  sumPartials,
  tokens,
  weightedSum,
];
