import adamw from './adamw.wgsl';
import add from './add.wgsl';
import alignment from './alignment.wgsl';
import attention from './attention.wgsl';
import augment from './augment.wgsl';
import batchNorm from './batchNorm.wgsl';
import concat from './concat.wgsl';
import crossEntropy from './crossEntropy.wgsl';
import dropPath from './dropPath.wgsl';
import gelu from './gelu.wgsl';
import gradientNorm from './gradientNorm.wgsl';
import lars from './lars.wgsl';
import latentMse from './latentMse.wgsl';
import layerNorm from './layerNorm.wgsl';
import mask from './mask.wgsl';
import maskedMse from './maskedMse.wgsl';
import matmul from './matmul.wgsl';
import meanPool from './meanPool.wgsl';
import mixImages from './mixImages.wgsl';
import mixture from './mixture.wgsl';
import muon from './muon.wgsl';
import patchify from './patchify.wgsl';
import peakThroughput from './peakThroughput.wgsl';
import philox from './philox.wgsl';
import randAugment from './randAugment.wgsl';
import reduce from './reduce.wgsl';
import sameBits from './sameBits.wgsl';
import softmax from './softmax.wgsl';
import splitKReduce from './splitKReduce.wgsl';
import tokens from './tokens.wgsl';
import weightedSum from './weightedSum.wgsl';

/** The text of every file of kernels, by its name. */
export const shaders = {
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
  mask,
  maskedMse,
  matmul,
  meanPool,
  mixImages,
  mixture,
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
} satisfies Readonly<Record<string, string>>;
