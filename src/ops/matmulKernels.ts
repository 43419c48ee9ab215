import gelu from '../../shaders/gelu.wgsl';
import common from '../../shaders/matmul/common.wgsl';
import matrix from '../../shaders/matmul/matrix.wgsl';
import panel from '../../shaders/matmul/panel.wgsl';
import plain from '../../shaders/matmul/plain.wgsl';
import register from '../../shaders/matmul/register.wgsl';
import shuffle from '../../shaders/matmul/shuffle.wgsl';
import tile from '../../shaders/matmul/tile.wgsl';
import { kernelsOf, type Kernel } from '../gpu/shader';

const FILES = { common, matrix, panel, plain, register, shuffle, tile };

export const MATMUL_KERNELS = [
  'matmulPlain',
  'matmulTile',
  'matmulRegister',
  'matmulShuffle',
  'matmulPanel',
  'matmulMatrix',
] as const;

/**
 * The kernels of `shaders/matmul/`.
 *
 * @param subgroupMatrix the head of what runs on matrix units
 */
/* @__NO_SIDE_EFFECTS__ */
export function matmulKernels(subgroupMatrix: string): Readonly<Record<(typeof MATMUL_KERNELS)[number], Kernel>> {
  return kernelsOf('matmul', FILES, MATMUL_KERNELS, { gelu, subgroupMatrix });
}
