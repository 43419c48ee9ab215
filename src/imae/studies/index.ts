import { alpha } from './alpha';
import { baseline } from './baseline';
import { branches } from './branches';
import { distillation } from './distillation';
import { maskRatio } from './maskRatio';
import { semantics } from './semantics';
import { size } from './size';
import type { Study } from './study';

export const STUDIES: readonly Study[] = [alpha, maskRatio, branches, distillation, size, semantics, baseline];
