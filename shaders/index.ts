import adamw from './adamw.wgsl';
import add from './add.wgsl';
import alignment from './alignment.wgsl';
import attention from './attention.wgsl';
import augment from './augment.wgsl';
import batchNorm from './batchNorm.wgsl';
import ceiling from './ceiling.wgsl';
import concat from './concat.wgsl';
import crossEntropy from './crossEntropy.wgsl';
import distillation from './distillation.wgsl';
import dropPath from './dropPath.wgsl';
import gelu from './gelu.wgsl';
import gradnorm from './gradnorm.wgsl';
import lars from './lars.wgsl';
import layernorm from './layernorm.wgsl';
import mask from './mask.wgsl';
import maskedMse from './maskedMse.wgsl';
import matmul from './matmul.wgsl';
import mixImages from './mixImages.wgsl';
import mixture from './mixture.wgsl';
import muon from './muon.wgsl';
import patchify from './patchify.wgsl';
import philox from './philox.wgsl';
import pool from './pool.wgsl';
import randAugment from './randAugment.wgsl';
import reduce from './reduce.wgsl';
import sameBits from './sameBits.wgsl';
import softmax from './softmax.wgsl';
import sumPartials from './sumPartials.wgsl';
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
  ceiling,
  concat,
  crossEntropy,
  distillation,
  dropPath,
  gelu,
  gradnorm,
  lars,
  layernorm,
  mask,
  maskedMse,
  matmul,
  mixImages,
  mixture,
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
} satisfies Readonly<Record<string, string>>;
