"""Cases of operations that move elements, and of those that take indices."""

import math

import torch

from elementwise import INF, NAN, tensor
from golden import Family


def of_types(family, operation, shape, *arguments):
    """One case a type of elements, f32 first."""
    family.case(operation, family.normal(*shape), *arguments)
    family.case(operation, family.integers(*shape, low=-99, high=99, dtype=torch.int32), *arguments)
    family.case(operation, family.integers(*shape, high=99), *arguments)


def shapes():
    family = Family('shapes')
    for operation, cases in MOVES.items():
        for number, (shape, *arguments) in enumerate(cases):
            if number % 3 == 0:
                of_types(family, operation, shape, *arguments)
            else:
                family.case(operation, family.normal(*shape), *arguments)
        shape, *arguments = cases[0]
        # Bits are moved as they are.
        special = torch.tensor([NAN, INF, -INF, -0.0, 0.0, 1e-39, 3e38, 1])
        if math.prod(shape) <= 8:
            family.case(operation, special[: math.prod(shape)].reshape(shape), *arguments, about='bits')
    for operation, cases in REFUSED.items():
        for shape, *arguments in cases:
            family.refused(operation, torch.ones(shape), *arguments)
    parts(family)
    for name in ('tril', 'triu'):
        for shape in ((3, 3), (2, 5), (5, 2), (2, 3, 4), (1, 1), (0, 3), (17, 17)):
            for diagonal in (-20, -2, -1, 0, 1, 2, 20) if shape in ((3, 3), (2, 5)) else (0, 1, -1):
                family.case(name, family.normal(*shape), diagonal)
        family.case(name, family.normal(4, 4))
        of_types(family, name, (3, 4), 1)
        family.case(name, torch.full((2, 2), NAN), about='bits')
        family.case(name, torch.full((2, 2), INF), about='bits')
        family.refused(name, torch.ones(3))
        family.refused(name, torch.ones(()))
    return family


MOVES = {
    'reshape': [
        ((2, 4), [8]),
        ((8,), [2, 4]),
        ((2, 3, 4), [4, 6]),
        ((2, 3, 4), [-1]),
        ((2, 3, 4), [6, -1]),
        ((2, 3, 4), [-1, 2, 2]),
        ((), [1, 1]),
        ((1,), []),
        ((0, 3), [3, 0]),
        ((0, 3), [-1, 3]),
        ((4, 33), [33, 4]),
        ((6,), [1, -1, 1]),
    ],
    'flatten': [
        ((2, 2, 2),),
        ((2, 3, 4), 1),
        ((2, 3, 4), 0, 1),
        ((2, 3, 4), -2),
        ((2, 3, 4, 2), 1, 2),
        ((2, 3, 4), 1, 1),
        ((),),
        ((5,),),
        ((2, 0, 3), 1),
    ],
    'squeeze': [((2, 1, 3), 1), ((1, 3), 0), ((2, 3, 1), -1), ((1,), 0), ((2, 3), 0), ((2, 1, 3), 0), ((0, 1), 1), ((1, 1, 1), -2)],
    'unsqueeze': [((2, 3), 0), ((2, 3), 1), ((2, 3), 2), ((2, 3), -1), ((2, 3), -3), ((), 0), ((), -1), ((0,), 1)],
    'permute': [
        ((2, 3), [1, 0]),
        ((2, 3, 4), [2, 0, 1]),
        ((2, 3, 4), [0, 2, 1]),
        ((2, 3, 4), [0, 1, 2]),
        ((2, 3, 4), [-1, 0, -2]),
        ((2, 3, 4, 5), [3, 1, 0, 2]),
        ((2, 1, 3, 2, 2), [4, 2, 0, 3, 1]),
        ((33, 4), [1, 0]),
        ((), []),
        ((5,), [0]),
        ((0, 3), [1, 0]),
        ((2, 1, 2, 3, 1, 2), [5, 3, 1, 0, 2, 4]),
    ],
    'transpose': [((2, 4), 0, 1), ((2, 3, 4), 0, 2), ((2, 3, 4), -1, -2), ((2, 3, 4), 1, 1), ((17, 3), 1, 0), ((5,), 0, 0), ((3, 0), 0, 1)],
    'slice': [
        ((8,), 0, 1, 3),
        ((4, 5), 0, 1, 3),
        ((4, 5), 1, 2),
        ((4, 5), 1, -2),
        ((4, 5), 1, 0, -1),
        ((4, 5), 1, -4, -1, 2),
        ((4, 5), -1, 0, 5, 2),
        ((4, 5), 1, 1, 5, 3),
        ((4, 5), 0, 0, 100),
        ((4, 5), 0, -100, 2),
        ((4, 5), 1, 3, 3),
        ((4, 5), 1, 4, 2),
        ((4, 5), 1, 9),
        ((4, 5), 1, 0, 5, 7),
        ((2, 3, 4), 1, 1, 2),
        ((2, 3, 4), 2, 1, None, 2),
        ((2, 3, 4), 0, -1),
        ((0, 3), 0, 0, 2),
        ((0, 3), 1, 1, 2),
        ((17, 3), 0, 1, 16, 5),
    ],
    'flip': [((2, 4), [1]), ((2, 4), [0]), ((2, 4), [0, 1]), ((2, 3, 4), [-1, 0]), ((2, 3, 4), [1]), ((7,), [0]), ((0, 3), [0]), ((2, 3), []), ((17, 2), [-2])],
    'expand': [
        ((4, 1), [4, 3]),
        ((1, 3), [4, 3]),
        ((3,), [2, 3]),
        ((), [2, 2]),
        ((1,), [5]),
        ((2, 1, 3), [2, 4, 3]),
        ((1, 2, 1), [3, 2, 2]),
        ((2, 1), [3, 2, 4]),
        ((2, 3), [2, 3]),
        ((2, 1), [-1, 4]),
        ((1, 3), [0, 3]),
        ((1,), [33]),
        ((0, 1), [0, 3]),
    ],
    'repeat': [
        ((2, 4), [2, 1]),
        ((2, 3), [1, 2]),
        ((2, 3), [2, 3]),
        ((3,), [4]),
        ((3,), [2, 2]),
        ((), [3]),
        ((2, 1, 2), [1, 3, 2]),
        ((2, 3), [2, 1, 2]),
        ((2, 3), [0, 1]),
        ((2, 3), [1, 1]),
        ((0, 2), [2, 2]),
        ((5,), [17]),
    ],
    'pad': [
        ((2, 4), [1, 1]),
        ((2, 3), [1, 2, 3, 0]),
        ((2, 3), [0, 0, 1, 1]),
        ((2, 3), [0, 0]),
        ((5,), [2, 0], {'value': 1.5}),
        ((2, 3), [1, 1, 1, 1], {'value': 2}),
        ((2, 3, 2), [1, 1, 0, 2, 1, 0]),
        ((2, 3), [1, 0], {'value': -INF}),
        ((2, 3, 2, 2), [0, 1, 1, 0]),
        ((2, 5), [-1, -2]),
        ((4, 5), [1, -1, -2, 3]),
        ((0, 3), [1, 1]),
        ((0, 3), [0, 0, 1, 1], {'value': 2}),
        ((2, 3), []),
    ],
}

REFUSED = {
    'reshape': [((2, 3), [5]), ((2, 3), [-1, 4]), ((2, 3), [-1, -1]), ((2, 3), [-2, 3]), ((2, 3), []), ((0, 3), [2]), ((2, 3), [2, 4])],
    'flatten': [((2, 3), 2), ((2, 3), 0, 2), ((2, 3, 4), 2, 1), ((2, 3), -3), ((2, 3), 0, -3)],
    'squeeze': [((2, 1), 2), ((2, 1), -3)],
    'unsqueeze': [((2, 3), 3), ((2, 3), -4)],
    'permute': [((2, 3), [0]), ((2, 3), [0, 0]), ((2, 3), [0, 2]), ((2, 3), [0, 1, 2]), ((2, 3), [1, -1]), ((2, 3), [-3, 0])],
    'transpose': [((2, 3), 0, 2), ((2, 3), -3, 0), ((3,), 0, 1)],
    'slice': [((2, 3), 2, 0), ((2, 3), -3, 0), ((2, 3), 0, 0, 2, 0), ((2, 3), 0, 0, 2, -1), ((), 0, 0)],
    'flip': [((2, 3), [2]), ((2, 3), [0, 0]), ((2, 3), [1, -1]), ((2, 3), [-3])],
    'expand': [((2, 3), [2, 4]), ((2, 3), [4, 3]), ((2, 3), [3]), ((2, 3), [2, 3, 1]), ((3,), [-1, 3]), ((2, 3), [-2, 3])],
    'repeat': [((2, 3), [2]), ((2, 3), [-1, 2]), ((2, 3), [])],
    'pad': [((2, 3), [1]), ((2, 3), [1, 1, 1]), ((2, 3), [1, 1, 1, 1, 1, 1]), ((2, 3), [-2, -2])],
}


def parts(family):
    """Several tensors in, or out."""
    for shapes, axis in (
        ([(2, 3), (2, 3)], 0),
        ([(2, 3), (1, 3)], 0),
        ([(2, 3), (2, 1), (2, 4)], 1),
        ([(2, 3), (2, 2)], -1),
        ([(2, 1, 3), (2, 4, 3)], 1),
        ([(2, 3, 2), (2, 3, 1)], 2),
        ([(3,), (1,), (5,)], 0),
        ([(2, 3)], 0),
        ([(0, 3), (2, 3)], 0),
        ([(2, 0), (2, 3), (2, 0)], 1),
        ([(1, 17), (4, 17), (2, 17)], 0),
        ([(2, 4), (3, 4), (1, 4)], -2),
        ([(1, 2)] * 9, 0),
    ):
        family.case('concat', [family.normal(*shape) * (1 + k) for k, shape in enumerate(shapes)], axis)
        if axis == 0:
            family.case('concat', [family.normal(*shape) for shape in shapes])
        for dtype in (torch.int32, torch.int64):
            family.case('concat', [family.integers(*shape, dtype=dtype) for shape in shapes], axis)
    x, y = family.normal(2, 3), family.normal(2, 3)
    for operation in ('concat', 'stack'):
        family.case(operation, [x, x], 0)
        family.case(operation, [x, y, x], 1)
        family.case(operation, [x, y], 1, fixed=(0,))
        family.case(operation, [tensor(NAN, 1e-39, -0.0), tensor(INF, -INF, 2)], 0, about='bits')
        family.refused(operation, [], 0)
        family.refused(operation, [torch.ones(2, 3), torch.ones(3, 2)], 0)
        family.refused(operation, [torch.ones(2, 3), torch.ones(2, 3, 1)], 0)
        family.refused(operation, [torch.ones(2, 3), torch.ones(2, 3)], 3)
        family.refused(operation, [torch.ones(2, 3), torch.ones(2, 3)], -4)
    family.refused('concat', [torch.ones(2, 3), torch.ones(2, 4)], 0)
    family.refused('concat', [torch.ones(2, 3), torch.ones(3, 3)], 1)
    family.refused('concat', [torch.ones(()), torch.ones(())], 0)
    family.refused('stack', [torch.ones(2), torch.ones(1)], 0)
    for shape in ((), (3,), (2, 3), (2, 1, 2), (0, 2)):
        for axis in sorted({0, len(shape), -1}):
            family.case('stack', [family.normal(*shape) * (k + 1) for k in range(3)], axis)
        family.case('stack', [family.integers(*shape, dtype=torch.int32), family.integers(*shape, dtype=torch.int32)], 0)
        family.case('stack', [family.integers(*shape)], 0)
    for shape, *rest in (
        ((6, 2), 2),
        ((6, 2), 4),
        ((6, 2), 6),
        ((6, 2), 9),
        ((2, 6), 2, 1),
        ((2, 6), [1, 3, 2], 1),
        ((2, 6), [6], -1),
        ((2, 6), [0, 6], -1),
        ((5,), [2, 3]),
        ((7,), 3, 0),
        ((2, 3, 4), [1, 2], 1),
        ((0, 3), [1, 2], 1),
        ((0, 3), 2),
    ):
        of_types(family, 'split', shape, *rest)
    for rest in ([2, 2], 0), ([7], 0), ([-1, 7], 0), (-2, 0), (2, 2), (2, -3), (0, 0):
        family.refused('split', torch.ones(6, 2), *rest)


def indices():
    family = Family('indices')
    for shape, axis, chosen in (
        ((5,), 0, (3,)),
        ((5,), 0, (17,)),
        ((3, 4), 0, (2, 4)),
        ((3, 4), 1, (3, 2)),
        ((3, 4), -1, (3, 9)),
        ((3, 4), 1, (2, 2)),
        ((3, 4), 0, (5, 1)),
        ((2, 3, 4), 1, (2, 5, 4)),
        ((2, 3, 4), 2, (1, 2, 3)),
        ((2, 3, 4), 0, (3, 3, 4)),
        ((3, 4), 1, (3, 0)),
        ((3, 4), 0, (0, 4)),
        ((1, 33), 1, (1, 65)),
    ):
        indices_ = family.integers(*chosen, high=shape[axis])
        family.case('gather', family.normal(*shape), axis, indices_)
        family.case('gather', family.integers(*shape, high=99, dtype=torch.int32), axis, indices_)
        family.case('gather', family.integers(*shape, high=99), axis, indices_)
        # What is scattered: of the shape of the indices, or larger.
        family.case('scatterAdd', family.normal(*shape), axis, indices_, family.normal(*chosen))
        family.case('scatterAdd', family.normal(*shape), axis, indices_, family.normal(*(n + 1 for n in chosen)))
        family.case('scatterAdd', torch.zeros(shape), axis, indices_, family.normal(*chosen), fixed=(0,))
    family.case('scatterAdd', torch.zeros(3), 0, torch.ones(65, dtype=torch.int64), family.normal(65))
    family.case('scatterAdd', family.normal(2, 3), 0, torch.zeros(4, 3, dtype=torch.int64), family.normal(4, 3))
    family.case('gather', tensor(NAN, -0.0, INF, 1e-39), 0, torch.tensor([3, 1, 0, 2, 1]), about='bits')
    for shape, axis, count in (((5,), 0, 3), ((5, 2), 0, 7), ((3, 4), 1, 2), ((3, 4), -1, 9), ((2, 3, 4), 1, 5), ((2, 3, 4), 0, 1), ((3, 2), 0, 0), ((65, 1), 0, 17)):
        chosen = family.integers(count, high=shape[axis])
        family.case('indexSelect', family.normal(*shape), axis, chosen)
        family.case('indexSelect', family.integers(*shape, high=99, dtype=torch.int32), axis, chosen)
        family.case('indexSelect', family.integers(*shape, high=99), axis, chosen)
    family.case('indexSelect', family.normal(3, 2), 0, torch.full((33,), 1))
    family.case('indexSelect', tensor(NAN, -0.0, INF, 1e-39), 0, torch.tensor([3, 1, 0, 2, 1]), about='bits')
    for count in ((), (1,), (7,), (2, 3), (2, 1, 2), (0,), (65,)):
        for rows, width in ((1, 1), (5, 3), (17, 4)):
            family.case('embedding', family.integers(*count, high=rows), family.normal(rows, width))
        for classes in (1, 4, 17):
            family.case('oneHot', family.integers(*count, high=classes), classes)
    refused_indices(family)
    return family


def refused_indices(family):
    some = torch.zeros(2, 3, dtype=torch.int64)
    for name, rest in (('gather', []), ('scatterAdd', [torch.ones(2, 3)])):
        family.refused(name, torch.ones(2, 3), 2, some, *rest)
        family.refused(name, torch.ones(2, 3), -3, some, *rest)
        family.refused(name, torch.ones(2, 3, 1), 0, some, *rest)
        family.refused(name, torch.ones(3), 0, some, *rest)
        family.refused(name, torch.ones(2, 2), 0, some, *rest)
        family.refused(name, torch.ones(1, 3), 1, some, *rest)
    family.refused('scatterAdd', torch.ones(2, 3), 0, some, torch.ones(1, 3))
    family.refused('scatterAdd', torch.ones(2, 3), 0, some, torch.ones(2, 2))
    family.refused('scatterAdd', torch.ones(2, 3), 0, some, torch.ones(3))
    family.refused('indexSelect', torch.ones(2, 3), 2, torch.zeros(2, dtype=torch.int64))
    family.refused('indexSelect', torch.ones(2, 3), -3, torch.zeros(2, dtype=torch.int64))
    family.refused('indexSelect', torch.ones(2, 3), 0, some)
    family.refused('embedding', some, torch.ones(3))
    family.refused('oneHot', some, 0)
