import { alpha } from './alpha';
import { baseline } from './baseline';
import { branches } from './branches';
import { distillationStudy } from './distillation';
import { maskRatio } from './maskRatio';
import { semantics } from './semantics';
import { size } from './size';
import type { Study } from './study';

export const STUDIES: readonly Study[] = [alpha, maskRatio, branches, distillationStudy, size, semantics, baseline];
