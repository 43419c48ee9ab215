"""Cases of reductions, and of what works along one axis."""

import math

import torch

from elementwise import INF, NAN, tensor
from golden import Family
from operations import REDUCTIONS

# Shapes, and axes of each that are reduced; None stands for all.
PATTERNS = [
    ((), [None]),
    ((1,), [None, 0, -1]),
    ((7,), [None, 0]),
    ((3, 5), [None, 0, 1, -1, -2, [0, 1], [-1]]),
    ((2, 3, 4), [None, 0, 1, 2, [0, 1], [1, 2], [0, 2], [2, 0], [-1, -3]]),
    ((2, 1, 3, 2), [1, [1, 2], [0, 3], [0, 2, 3]]),
    ((65, 2), [0, 1]),
    ((2, 65), [0, 1]),
]
EMPTY = [((0,), [None, 0]), ((0, 3), [None, 0, 1, [0, 1]]), ((2, 0), [0, 1])]


def draws(family, name, shape):
    if name == 'prod':
        return family.uniform(*shape, low=0.8, high=1.2)
    return family.normal(*shape)


def reductions():
    family = Family('reductions')
    for name in REDUCTIONS:
        for shape, patterns in PATTERNS:
            for axes in patterns:
                if name in ('variance', 'std') and shape in ((), (1,)):
                    continue
                family.case(name, draws(family, name, shape), *([] if axes is None else [axes]))
                if shape in ((3, 5), (2, 3, 4)):
                    family.case(name, draws(family, name, shape), axes, {'keepDim': True})
        values_of(family, name)
        for shape, patterns in EMPTY:
            for axes in patterns:
                reduced = range(len(shape)) if axes is None else [axes] if isinstance(axes, int) else axes
                refuses = name in ('max', 'min') and any(shape[axis] == 0 for axis in reduced)
                (family.refused if refuses else family.case)(name, torch.ones(shape), *([] if axes is None else [axes]))
        for shape, axes in (((3,), 1), ((3,), -2), ((2, 3), 2), ((2, 3), [0, 0]), ((2, 3), [1, -1]), ((2, 3), [0, 5])):
            family.refused(name, torch.ones(shape), axes)
    for name in ('variance', 'std'):
        for correction in (0, 1, 2):
            family.case(name, family.normal(3, 5), 1, {'correction': correction})
            family.case(name, family.normal(7), None, {'correction': correction})
        family.case(name, family.normal(3, 5), [0, 1], {'correction': 0, 'keepDim': True})
        family.case(name, tensor(3), 0)
        family.case(name, torch.ones(3, 1), 1)
        family.case(name, torch.ones(3, 1), 1, {'correction': 0})
        family.case(name, family.normal(33, shift=1000.0, scale=1.0))
        family.case(name, family.normal(4, 9, shift=-300.0), 1)
    extremes(family)
    return family


def values_of(family, name):
    """Zeros, ties, magnitudes, and what is not finite."""
    if name != 'std':
        family.case(name, torch.zeros(4))
        family.case(name, torch.full((3, 4), 2.5), 1)
    family.case(name, family.normal(3, 5, scale=1e4), 1)
    family.case(name, rescaled(family, 1e-12), 1)
    family.case(name, rescaled(family, 1e12), 1)
    family.case(name, rescaled(family, 1e30), 1, about='far magnitudes')
    family.case(name, rescaled(family, 1e-30), 1, about='far magnitudes')
    family.case(name, tensor(1, INF, 2), about='infinities')
    family.case(name, tensor(1, -INF, 2), about='infinities')
    family.case(name, tensor(INF, -INF, 2), about='infinities')
    family.case(name, torch.tensor([[1, NAN, 2], [3, 4, 5], [NAN, NAN, INF], [INF, 0, INF]]), 1, about='NaN')
    family.case(name, torch.tensor([[-INF, -INF], [INF, INF], [0.0, -0.0]]), 1, about='infinities')


def rescaled(family, scale):
    return (family.normal(3, 5) * scale).float()


def extremes(family):
    for name in ('max', 'min'):
        family.case(name, tensor(1, 3, 3, 2, 3, 1, 1))
        family.case(name, torch.tensor([[1.0, 1, 1], [2, 1, 2], [0, -0.0, 0]]), 1)
        family.case(name, torch.tensor([[5.0, 5], [5, 5]]), [0, 1])
        family.case(name, torch.tensor([NAN] * 5))
        family.case(name, torch.where(family.uniform(3, 65) < 0.1, torch.tensor(NAN), family.normal(3, 65)), [0, 1])
    for name in ('variance', 'std'):
        for scale in (1e-37, 1e-25, 1e25, 1e35):
            family.case(name, rescaled(family, scale), 0)
            family.case(name, (family.normal(1030, shift=3) * scale).float(), None, {'correction': 0})
        family.case(name, torch.cat([family.normal(1, 5) * 1e30, family.normal(1, 5), family.normal(1, 5) * 1e-30]).float(), 1)
    family.case('prod', tensor(2, 0, 3))
    family.case('prod', tensor(0, 0, 3))
    family.case('prod', torch.tensor([[1.0, 2, 0], [0, 5, 0], [1, -2, 3]]), 1)
    family.case('prod', torch.tensor([[1.0, 2, 0], [0, 5, 0], [1, -2, 3]]), 0)
    family.case('prod', torch.tensor([[1.0, 2, 0], [4, 5, 2], [1, -2, 3]]))
    family.case('prod', torch.tensor([[[1.0, 2], [0, 3]], [[3, 5], [2, -1]]]), [0, 2])
    family.case('norm', torch.tensor([[0.0, 0], [3, 4], [0, -2]]), 1)
    family.case('logSumExp', tensor(1000, 1000, 999))
    family.case('logSumExp', tensor(-1000, -1000, -999))
    family.case('logSumExp', torch.tensor([[88.0, 89, 90], [-1e30, 0, -1e30], [1e30, -1e30, 0]]), 1)


def along():
    family = Family('along')
    positions(family)
    for name in ('softmax', 'logSoftmax', 'cumsum'):
        rest = (0,) if name == 'cumsum' else ()
        for shape in ((1,), (3,), (17,), (5, 1), (2, 0), (0, 3), (0,)):
            family.case(name, family.normal(*shape), *(rest and (len(shape) - 1,)))
        for shape in ((3, 5), (2, 3, 4), (2, 3, 2, 3), (65, 3), (3, 65), (1, 4), (2, 1, 3)):
            for axis in range(-len(shape), len(shape)):
                family.case(name, family.normal(*shape, scale=2), axis)
        for scale in (1e-12, 1e-30, 30, 1e4):
            family.case(name, (family.normal(3, 5) * scale).float(), 1)
        family.case(name, torch.zeros(2, 4), -1)
        family.case(name, torch.full((2, 3), -1e30), 1)
        family.case(name, torch.tensor([[1e30, -1e30, 0], [88, 89, -88], [-1e30, -1e30, 5]]), 1)
        family.case(name, torch.tensor([[0, -INF, 1], [-INF, -INF, 2], [-INF, 3, -INF]]), 1)
        family.case(name, torch.tensor([[0, INF, 1], [-INF, -INF, -INF], [NAN, 3, 1], [1, 2, 3], [1, NAN, 2]]), 1)
        for shape, axis in (((3,), 1), ((3,), -2), ((2, 3), 2), ((2, 3), -3)):
            family.refused(name, torch.ones(shape), axis)
    family.case('softmax', tensor(3.0).reshape(()))
    family.case('cumsum', torch.ones(3, 33), 1)
    for shape, axis in (((1300,), 0), ((2, 700), 1), ((700, 2), 0), ((1, 300, 5), 1)):
        family.case('cumsum', family.normal(*shape), axis)
    family.case('cumsum', tensor(2).reshape(()), 0)
    family.case('cumsum', family.normal(2, 0, 3), -2)
    family.refused('cumsum', torch.ones(()), 1)
    family.case('cumsum', family.normal(130), 0)
    return family


def positions(family):
    for name in ('argMax', 'argMin'):
        for shape, axes in (((), [None]), ((1,), [None, 0]), ((17,), [None, 0, -1]), ((3, 5), [None, 0, 1, -1])):
            for axis in axes:
                family.case(name, family.normal(*shape), axis, fixed=(0,))
        for axis in (None, 0, 1, 2, -2):
            family.case(name, family.normal(2, 3, 4), axis, fixed=(0,))
            family.case(name, family.normal(2, 3, 4), axis, {'keepDim': True}, fixed=(0,)) if axis is not None else None
        for axis in (0, 1):
            family.case(name, family.normal(65, 3), axis, fixed=(0,))
            family.case(name, family.normal(3, 65), axis, fixed=(0,))
            family.case(name, torch.tensor([[1.0, 3, 3], [3, 1, 1], [3, 3, 3]]), axis, fixed=(0,))
            family.case(name, torch.tensor([[1.0, NAN, 3], [INF, 1, NAN], [-INF, INF, 3]]), axis, fixed=(0,))
        for values in ([0.0, -0.0], [-0.0, 0.0], [INF, INF, -INF], [-INF, -INF], [1e-30, 2e-30], [2, 1, NAN, NAN], [-1e30] * 3):
            family.case(name, tensor(*values), 0, fixed=(0,))
        family.case(name, torch.ones(0, 3), 1, fixed=(0,))
        for shape, axis in (((0,), 0), ((0,), None), ((2, 0), 1), ((3,), 1), ((3,), -2), ((2, 3), 2)):
            family.refused(name, torch.ones(shape), axis)
