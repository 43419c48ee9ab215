import adamw from './adamw.test';
import add from './add.test';
import alignment from './alignment.test';
import attention from './attention.test';
import augment from './augment.test';
import batchNorm from './batchNorm.test';
import concat from './concat.test';
import crossEntropy from './crossEntropy.test';
import dropPath from './dropPath.test';
import gelu from './gelu.test';
import gradientNorm from './gradientNorm.test';
import lars from './lars.test';
import latentMse from './latentMse.test';
import layerNorm from './layerNorm.test';
import linear from './linear.test';
import mask from './mask.test';
import maskedMse from './maskedMse.test';
import matmul from './matmul.test';
import meanPool from './meanPool.test';
import mixImages from './mixImages.test';
import mixture from './mixture.test';
import mlp from './mlp.test';
import muon from './muon.test';
import patchify from './patchify.test';
import peakThroughput from './peakThroughput.test';
import philox from './philox.test';
import randAugment from './randAugment.test';
import reduce from './reduce.test';
import sameBits from './sameBits.test';
import softmax from './softmax.test';
import splitKReduce from './splitKReduce.test';
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
  concat,
  crossEntropy,
  dropPath,
  gelu,
  gradientNorm,
  lars,
  latentMse,
  layerNorm,
  linear,
  mask,
  maskedMse,
  matmul,
  meanPool,
  mixImages,
  mixture,
  mlp,
  muon,
  patchify,
  peakThroughput,
  philox,
  randAugment,
  reduce,
  sameBits,
  softmax,
  splitKReduce,
  tokens,
  weightedSum,
];
