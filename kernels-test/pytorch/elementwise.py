"""Cases of operations that work element by element."""

import math

import torch

from golden import Family
from operations import ARITHMETIC, COMPARISONS, UNARY

INF, NAN = math.inf, math.nan
LARGEST, SMALLEST = 3.4028234663852886e38, 1.1754943508222875e-38

SHAPES = [(), (1,), (0,), (0, 3), (3,), (17,), (4, 33), (2, 3, 5), (1, 1, 1), (2, 1, 3, 1, 2), (65,)]

# Where each is defined, if not everywhere.
FROM = {'sqrt': 1e-3, 'rsqrt': 1e-3, 'log': 1e-3, 'log2': 1e-3, 'log1p': -0.9, 'reciprocal': 0.1}

TINY = [s * x for x in (1e-3, 1e-6, 3e-12, 1e-20, 1e-30, 1e-37, SMALLEST) for s in (1, -1)]
LARGE = [s * x for x in (5, 9, 15, 20.5, 40, 80, 87, 88.5, 90, 104, 300) for s in (1, -1)]
HUGE = [s * x for x in (1e4, 8388607.5, 16777216, 3e9, 1e15, 1e19, 1e30, LARGEST) for s in (1, -1)]
HALVES = [s * x for x in (0.5, 1.5, 2.5, 3.5, 0.49999997, 0.99999994, 1, 2, 1e6 + 0.5, 4194303.5) for s in (1, -1)]
DENORMAL = [1e-39, -1e-39, 1e-42, -1e-45]
SPECIALS = {'zero': [0.0], 'negative zero': [-0.0], 'infinities': [INF, -INF], 'NaN': [NAN], 'denormals': DENORMAL}

# Angles: multiples of π/2 and between, up to the documented 8192.
ANGLES = [s * x for x in (0.1, math.pi / 4, 1.5, math.pi / 2, 3, math.pi, 7, 22, 99.5, 355, 1000, 8191) for s in (1, -1)]
AROUND_ONE = [1 + s * x for x in (0, 6e-8, 1e-6, 1e-4, 0.01, 0.1, 0.3) for s in (1, -1)]

VARIANTS = {
    'leakyRelu': [(), (0.2,), (0.0,), (1.0,), (-0.5,), (2.0,)],
    'elu': [(), (0.5,), (2.0,), (0.0,)],
    'clamp': [({'min': -0.5, 'max': 0.5},), ({'min': 0},), ({'max': 0.25},), ({'min': 1, 'max': -1},), ({'min': 0, 'max': 0},)],
    'gelu': [(), ({'approximate': 'none'},), ({'approximate': 'tanh'},)],
}


def tensor(*values, dtype=torch.float32):
    return torch.tensor(values, dtype=dtype)


def defined(name, values):
    """Those values that a function takes; its ends are tried apart."""
    return [x for x in values if name not in FROM or name == 'reciprocal' or x > FROM[name] or (name != 'log1p' and x > 0)]


def unary():
    family = Family('unary')
    for name in UNARY:
        low, high = FROM.get(name, -3.0), 3.0
        for options in VARIANTS.get(name, [()]):
            for shape in SHAPES if options in ((), VARIANTS.get(name, [()])[0]) else SHAPES[4:8:2]:
                family.case(name, family.uniform(*shape, low=low, high=high), *options)
            for values in (TINY, LARGE, HUGE, HALVES, AROUND_ONE):
                if name in ('sin', 'cos', 'tan'):
                    values = [x for x in values if abs(x) < 8192]
                family.case(name, tensor(*defined(name, values)), *options)
            for about, values in SPECIALS.items():
                family.case(name, tensor(*values), *options, about=about)
        if name in ('sin', 'cos', 'tan'):
            family.case(name, tensor(*ANGLES))
        if name in FROM and name != 'reciprocal':
            family.case(name, tensor(-2, -1, -1e-3 if name != 'log1p' else -1.5, -1e30))
    for name in ('isNan', 'isFinite'):
        for shape in SHAPES:
            family.case(name, family.normal(*shape))
        for values in (TINY, HUGE, [1, NAN, INF, -INF, 0, -NAN]):
            family.case(name, tensor(*values))
        for about, values in SPECIALS.items():
            family.case(name, tensor(*values), about=about)
    for shape in SHAPES:
        family.case('logicalNot', family.integers(*shape, high=2))
    family.case('logicalNot', tensor(0, 1, 2, 7, 4294967295, dtype=torch.int64))
    family.refused('clamp', tensor(1.0), {})
    family.refused('gelu', tensor(1.0), {'approximate': 'sigmoid'})
    return family


BROADCASTS = [
    ((), ()),
    ((1,), ()),
    ((3, 17), (3, 17)),
    ((3, 17), ()),
    ((), (3, 5)),
    ((3, 17), (17,)),
    ((5,), (3, 5)),
    ((3, 17), (3, 1)),
    ((3, 1), (1, 7)),
    ((1, 1), (4, 3)),
    ((2, 3, 4, 3), (3, 1, 3)),
    ((2, 1, 4, 1, 3), (5, 1, 2, 1)),
    ((1, 3, 1, 2), (2, 1, 5, 1)),
    ((33, 2), (1, 2)),
    ((3,), (65, 3)),
    ((0,), (0,)),
    ((0, 3), (3,)),
    ((0, 3), (1, 3)),
    ((2, 0), ()),
    ((1,), (0,)),
    ((3, 1), (1, 0)),
    ((2, 1, 1, 2, 1, 2), (1, 2, 1, 1, 2, 1)),
]

MISFITS = [((3,), (4,)), ((3, 2), (3,)), ((2, 3), (3, 2)), ((0,), (3,)), ((2, 1, 3), (3, 2)), ((1, 2, 3), (4, 1, 1, 2))]

TIES = (tensor(1, 1, -2, 0, 0.0, -0.0, 3, 5, -5), tensor(1, 2, -2, 0, -0.0, 0.0, -3, 5, -5.5))
GRIDS = {
    'magnitudes': [0.0, 1, -1, 1.5, -2.5, 1e-30, -1e30, 3e38],
    'negative zero': [-0.0, 0.0, 1.0, -2.5],
    'infinities': [0.0, 1, -1, INF, -INF],
    'NaN': [0.0, 1, INF, NAN],
    'denormals': [1.0, 0.0, *DENORMAL],
}


def grid(values, others=None):
    """Each value beside each other one."""
    return [torch.tensor(x) for x in zip(*[(a, b) for a in values for b in others or values])]


def binary():
    family = Family('binary')
    for name in ARITHMETIC:
        draw = family.uniform if name == 'pow' else family.normal
        apart = {'low': 0.2, 'high': 3.0} if name == 'pow' else {}
        for a, b in BROADCASTS:
            x, y = draw(*a, **apart), family.normal(*b)
            # Divisors away from 0, where quotients are of one magnitude.
            family.case(name, x, torch.where(y >= 0, y + 0.3, y - 0.3) if name == 'div' else y)
        family.case(name, *TIES)
        for about, values in GRIDS.items():
            family.case(name, *grid(values), about=about)
        for shape in ((), (3, 5), (0,), (17,)):
            x = family.uniform(*shape, low=0.2 if name in ('pow', 'div') else -3, high=3.0)
            for number in (2, -1.5, 0):
                family.case(name, x, number)
                if number > 0 or name != 'pow':
                    family.case(name, number, x)
        family.case(name, family.uniform(2, 3, low=0.5, high=2), family.uniform(2, 3, low=0.5, high=2), fixed=(0,))
        family.case(name, family.uniform(2, 3, low=0.5, high=2), family.uniform(3, low=0.5, high=2), fixed=(1,))
        if name not in ('sub', 'div'):  # the gradient of what is constant is but noise
            x = family.uniform(4, low=0.5, high=2)
            family.case(name, x, x)
        for a, b in MISFITS:
            family.refused(name, torch.ones(a), torch.ones(b))
    powers(family)
    integers(family)
    comparisons(family)
    wheres(family)
    return family


def powers(family):
    bases = [-2.0, -1.0, -0.5, -3.25, 0.5, 1.0, 2.0, 7.5]
    family.case('pow', *grid(bases, [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0]))
    family.case('pow', *grid(bases, [0.5, -0.5, 1.5, 2.25]))
    for zero in (0.0, -0.0):
        exponents = [-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0]
        family.case('pow', *grid([zero], exponents), about='zero' if str(zero) == '0.0' else 'negative zero')
    family.case('pow', tensor(10, 10, 2, 2, 1.5, -2, -2), tensor(30, -30, 100, -100, 150, 31, 30))
    family.case('pow', tensor(1e20, 1e-20, 1e10, -1e13), tensor(2, 2, 4, 3))
    for number in (-1, -2, 0.5, 1, 2, 3, 4):
        family.case('pow', tensor(-2, -0.5, 0.25, 1, 3.5), number)
        family.case('pow', tensor(0.0, 0.0), number, about='zero')
        family.case('pow', tensor(-0.0, -0.0), number, about='negative zero')
    for number in (1, 0.5, 10, 0, -2):
        family.case('pow', number, tensor(-2, -1, 0, 1, 2, 3))


def integers(family):
    for dtype, low in ((torch.int32, -50), (torch.int64, 0)):
        for name in ('add', 'sub', 'mul', 'maximum', 'minimum'):
            for a, b in BROADCASTS[::3]:
                x = family.integers(*a, low=low, high=60, dtype=dtype)
                family.case(name, x, family.integers(*b, low=low, high=60, dtype=dtype))
            family.case(name, family.integers(3, 5, low=low, high=60, dtype=dtype), 7)
        most = 2**31 - 1 if low else 2**32 - 1
        least = -(2**31) if low else 0
        ends = tensor(most, least, 1, most, least, 65537, 16777217, dtype=dtype)
        others = tensor(1, 1, 1, most, least, 65537, 16777217, dtype=dtype)
        for name in ('add', 'sub', 'mul', 'maximum', 'minimum'):
            family.case(name, ends, others)


def comparisons(family):
    for name in COMPARISONS:
        for a, b in BROADCASTS:
            family.case(name, family.integers(*a, low=-2, high=3).float(), family.integers(*b, low=-2, high=3).float())
        for dtype, low in ((torch.int32, -3), (torch.int64, 0)):
            for a, b in BROADCASTS[2:9:2]:
                x = family.integers(*a, low=low, high=3, dtype=dtype)
                family.case(name, x, family.integers(*b, low=low, high=3, dtype=dtype))
        large = tensor(4294967295, 2147483648, 2147483647, 0, 16777217, dtype=torch.int64)
        family.case(name, large, tensor(2147483648, 4294967295, 0, 0, 16777216, dtype=torch.int64))
        family.case(name, tensor(-1, 0, 2147483647, dtype=torch.int32), tensor(0, -1, -2147483648, dtype=torch.int32))
        for about, values in GRIDS.items():
            family.case(name, *grid(values), about=about)
        family.case(name, tensor(-1, 0, 0.5, 1, 2), 0.5)
        family.case(name, 1, tensor(-1, 0, 0.5, 1, 2))
        family.case(name, tensor(-1, 0, 3, dtype=torch.int32), 0)
        for a, b in MISFITS[:4]:
            family.refused(name, torch.ones(a), torch.ones(b))
    for name in ('logicalAnd', 'logicalOr'):
        for a, b in BROADCASTS:
            family.case(name, family.integers(*a, high=2), family.integers(*b, high=2))
        family.case(name, tensor(0, 0, 2, 4, 7, dtype=torch.int64), tensor(0, 8, 1, 4, 0, dtype=torch.int64))
        for a, b in MISFITS[:4]:
            family.refused(name, torch.ones(a, dtype=torch.int64), torch.ones(b, dtype=torch.int64))


def wheres(family):
    thirds = [(), (3, 1), (17,), (1,), (3, 17)]
    for shape in ((3, 17), (1, 17), (3, 1), ()):
        for k, third in enumerate(thirds):
            a, b = family.normal(*third), family.normal(*thirds[k - 1])
            family.case('where', family.integers(*shape, high=2), a, b)
    condition = family.integers(2, 5, high=2)
    family.case('where', condition, family.normal(2, 5), 0)
    family.case('where', condition, -INF, family.normal(2, 5))
    family.case('where', condition, family.normal(5), 1.5)
    family.case('where', tensor(0, 1, 2, 0, dtype=torch.int64), tensor(NAN, 1, 2, INF), tensor(3, NAN, -INF, 5))
    family.case('where', tensor(0, 1, dtype=torch.int64), torch.ones(0, 2), torch.ones(2))
    family.case('where', torch.zeros(0, dtype=torch.int64), torch.ones(0), torch.ones(1))
    x = family.normal(2, 5)
    family.case('where', condition, x, x)
    for a, b in MISFITS:
        family.refused('where', torch.ones(a, dtype=torch.int64), torch.ones(b), torch.ones(b))
        family.refused('where', torch.ones((), dtype=torch.int64), torch.ones(a), torch.ones(b))


def conversions():
    family = Family('conversions')
    shapes = [(), (1,), (0,), (3, 5), (17,), (2, 0)]
    whole = {'i32': lambda *s: family.integers(*s, low=-99, high=99, dtype=torch.int32), 'u32': family.integers}
    for source in ('f32', 'i32', 'u32'):
        for target in ('f32', 'i32', 'u32'):
            for shape in shapes:
                positive = source == 'i32' and target == 'u32'
                if source == 'f32':
                    x = family.uniform(*shape, low=0 if target == 'u32' else -9, high=99)
                else:
                    x = family.integers(*shape, dtype=torch.int32) if positive else whole[source](*shape)
                family.case('to', x, target)
    family.case('to', tensor(0.5, 0.99999994, 1.5, 2.5, -0.5, -0.99999994, -1.5, 8388607.5, -16777216, 2147483520), 'i32')
    family.case('to', tensor(0.5, 0.99999994, 1.5, 2.5, 8388607.5, 16777216, 4294967040), 'u32')
    family.case('to', tensor(16777217, -16777217, 16777219, 2147483647, -2147483648, 0, dtype=torch.int32), 'f32')
    family.case('to', tensor(16777217, 16777219, 2147483648, 4294967295, 4294967040, 0, dtype=torch.int64), 'f32')
    family.case('to', tensor(-1, -2147483648, 5, dtype=torch.int32), 'u32')
    family.case('to', tensor(4294967295, 2147483648, 5, dtype=torch.int64), 'i32')
    for shape in shapes:
        family.case('zerosLike', family.normal(*shape), fixed=(0,))
        family.case('onesLike', family.normal(*shape), fixed=(0,))
        for value in (0, 1.5, -1e30, INF, NAN):
            family.case('fullLike', family.normal(*shape), value, fixed=(0,))
            family.case('full', {'program': True}, list(shape), value)
    family.refused('full', {'program': True}, [-1], 0)
    family.refused('full', {'program': True}, [2, 1.5], 0)
    return family
