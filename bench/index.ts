import adamw from './adamw.bench';
import add from './add.bench';
import alignment from './alignment.bench';
import attention from './attention.bench';
import augment from './augment.bench';
import batchNorm from './batchNorm.bench';
import concat from './concat.bench';
import crossEntropy from './crossEntropy.bench';
import dropPath from './dropPath.bench';
import gelu from './gelu.bench';
import gradientNorm from './gradientNorm.bench';
import lars from './lars.bench';
import latentMse from './latentMse.bench';
import layerNorm from './layerNorm.bench';
import linear from './linear.bench';
import mask from './mask.bench';
import maskedMse from './maskedMse.bench';
import matmul from './matmul.bench';
import meanPool from './meanPool.bench';
import mixImages from './mixImages.bench';
import mixture from './mixture.bench';
import mlp from './mlp.bench';
import muon from './muon.bench';
import patchify from './patchify.bench';
import philox from './philox.bench';
import randAugment from './randAugment.bench';
import reduce from './reduce.bench';
import sameBits from './sameBits.bench';
import softmax from './softmax.bench';
import splitKReduce from './splitKReduce.bench';
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
  philox,
  randAugment,
  reduce,
  sameBits,
  softmax,
  splitKReduce,
  tokens,
  weightedSum,
];
