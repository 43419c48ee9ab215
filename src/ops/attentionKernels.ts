import common from '../../shaders/attention/common.wgsl';
import head from '../../shaders/attention/head.wgsl';
import plain from '../../shaders/attention/plain.wgsl';
import register from '../../shaders/attention/register.wgsl';
import registerBackward from '../../shaders/attention/registerBackward.wgsl';
import shuffle from '../../shaders/attention/shuffle.wgsl';
import shuffleBackward from '../../shaders/attention/shuffleBackward.wgsl';
import tile from '../../shaders/attention/tile.wgsl';
import tileBackwardKV from '../../shaders/attention/tileBackwardKV.wgsl';
import tileBackwardQ from '../../shaders/attention/tileBackwardQ.wgsl';
import { kernelsOf } from '../gpu/shader';
import { ATTENTION_KERNELS } from './attentionPlan';

const FILES = {
  common,
  head,
  plain,
  register,
  registerBackward,
  shuffle,
  shuffleBackward,
  tile,
  tileBackwardKV,
  tileBackwardQ,
};

/** The kernels of `shaders/attention/`. */
export const attentionKernels = kernelsOf('attention', FILES, ATTENTION_KERNELS);
