import adamw from './adamw.test';
import add from './add.test';
import alignment from './alignment.test';
import attention from './attention.test';
import augment from './augment.test';
import batchNorm from './batchNorm.test';
import ceiling from './ceiling.test';
import concat from './concat.test';
import crossEntropy from './crossEntropy.test';
import distillation from './distillation.test';
import dropPath from './dropPath.test';
import gelu from './gelu.test';
import gradnorm from './gradnorm.test';
import lars from './lars.test';
import layernorm from './layernorm.test';
import linear from './linear.test';
import mask from './mask.test';
import maskedMse from './maskedMse.test';
import matmul from './matmul.test';
import mixImages from './mixImages.test';
import mixture from './mixture.test';
import mlp from './mlp.test';
import muon from './muon.test';
import patchify from './patchify.test';
import philox from './philox.test';
import pool from './pool.test';
import randAugment from './randAugment.test';
import reduce from './reduce.test';
import sameBits from './sameBits.test';
import softmax from './softmax.test';
import sumPartials from './sumPartials.test';
import tokens from './tokens.test';
import weightedSum from './weightedSum.test';
import type { KernelSuite } from './suite';

/** Every suite. */
export const suites: readonly KernelSuite[] = [
  adamw,
  add,
  alignment,
  attention,
  augment,
  batchNorm,
  ceiling,
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
