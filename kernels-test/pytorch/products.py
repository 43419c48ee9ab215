"""Cases of products of matrices, of attention, of images and of norms."""

import torch

from elementwise import INF, NAN
from golden import Family


def products():
    family = Family('products')
    matrices(family)
    linears(family)
    attentions(family)
    return family


def matrices(family):
    for m, k, n in ((1, 1, 1), (1, 3, 1), (3, 1, 5), (2, 3, 4), (5, 17, 3), (17, 2, 9), (1, 33, 2), (9, 4, 1), (3, 65, 3)):
        family.case('matmul', family.normal(m, k), family.normal(k, n))
        family.case('matmul', family.normal(m, k), family.normal(n, k), 'nt')
        family.case('matmul', family.normal(k, m), family.normal(k, n), 'tn')
        family.case('matmul', family.normal(m, k), family.normal(k, n), 'nn')
    for a, b in (
        ((3,), (3,)),
        ((1,), (1,)),
        ((33,), (33,)),
        ((3,), (3, 4)),
        ((3, 4), (4,)),
        ((3,), (2, 3, 4)),
        ((2, 3, 4), (4,)),
        ((2, 3, 4), (4, 5)),
        ((3, 4), (2, 4, 5)),
        ((2, 3, 4), (2, 4, 5)),
        ((1, 3, 4), (2, 4, 5)),
        ((2, 3, 4), (1, 4, 5)),
        ((2, 1, 3, 4), (3, 4, 2)),
        ((2, 1, 3, 4), (1, 3, 4, 2)),
        ((2, 3, 2, 2), (2, 3, 2, 2)),
        ((3, 1, 2, 4), (4, 2)),
        ((3, 2), (4, 1, 2, 3)),
        ((5,), (2, 1, 5, 3)),
        ((2, 1, 3, 5), (5,)),
        ((1, 1, 1), (1, 1, 1)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
        ((2, 3), (3, 0)),
        ((0,), (0,)),
        ((2, 0, 3), (3, 4)),
        ((0, 2, 3), (3, 4)),
        ((2, 3, 0), (0, 4)),
        ((1, 2, 3), (0, 3, 4)),
    ):
        family.case('matmul', family.normal(*a), family.normal(*b))
    for scale in (1e-12, 1e15):
        family.case('matmul', family.normal(3, 5) * scale, family.normal(5, 4) * scale)
    family.case('matmul', torch.zeros(3, 4), family.normal(4, 2))
    family.case('matmul', torch.tensor([[1, INF], [2, 3]]), torch.tensor([[1.0, 0], [1, 1]]))
    family.case('matmul', torch.tensor([[1, NAN], [2, 3]]), torch.tensor([[1.0, 0], [1, 1]]))
    family.case('matmul', torch.full((2, 2), 1e30), torch.full((2, 2), 1e30))
    family.case('matmul', family.normal(3, 4), family.normal(4, 2), fixed=(0,))
    family.case('matmul', family.normal(3, 4), family.normal(4, 2), fixed=(1,))
    family.case('matmul', family.normal(2, 3, 4), family.normal(4, 2), fixed=(0,))
    family.case('matmul', family.normal(2, 3, 4), family.normal(4, 2), fixed=(1,))
    x = family.normal(4, 4)
    family.case('matmul', x, x)
    for a, b in (((2, 3), (2, 3)), ((3,), (4,)), ((2, 3), (4,)), ((3,), (4, 3)), ((2, 3, 4), (3, 4, 5)), ((2, 3, 4), (2, 3, 4)), ((), (3, 4)), ((3,), ()), ((2, 2, 3, 4), (3, 4, 5)), ((0, 3), (4, 0))):
        family.refused('matmul', torch.ones(a), torch.ones(b))
    family.refused('matmul', torch.ones(2, 3), torch.ones(3, 4), 'nt')
    family.refused('matmul', torch.ones(2, 3), torch.ones(3, 4), 'tn')


def linears(family):
    for rows in ((), (1,), (3,), (2, 3), (2, 1, 3), (17,), (0,)):
        for k, n in ((1, 1), (3, 5), (17, 3), (4, 8)):
            family.case('linear', family.normal(*rows, k), family.normal(n, k), family.normal(n))
    for rows in ((), (3,), (2, 3)):
        family.case('linear', family.normal(*rows, 5), family.normal(4, 5))
        family.case('linear', family.normal(*rows, 5), family.normal(4, 5), family.normal(4), family.normal(*rows, 4))
    for fixed in ((0,), (1,), (2,), (0, 1), (1, 2)):
        family.case('linear', family.normal(3, 5), family.normal(4, 5), family.normal(4), fixed=fixed)
    for rows in ((3,), (2, 3), (0,), ()):
        family.case('linear', torch.ones(*rows, 0), torch.ones(4, 0), family.normal(4))
    family.case('linear', family.normal(3, 5) * 1e-15, family.normal(4, 5) * 1e-15, torch.zeros(4))
    family.case('linear', family.normal(3, 5) * 1e15, family.normal(4, 5) * 1e15, torch.zeros(4))
    for x, weight, bias in (((3, 4), (2, 5), (2,)), ((3, 4), (2, 4), (3,)), ((4,), (2, 3), (2,)), ((2, 3, 4), (2, 3), (2,))):
        family.refused('linear', torch.ones(x), torch.ones(weight), torch.ones(bias))


def attentions(family):
    name = 'scaledDotProductAttention'
    sizes = [((), 1, 1, 1, 1), ((), 3, 5, 4, 2), ((2,), 4, 4, 3, 3), ((2, 3), 3, 3, 4, 4), ((1, 2), 5, 2, 8, 4), ((2, 1), 1, 7, 4, 4), ((2, 2), 17, 17, 4, 4)]
    for batch, n, m, d, e in sizes:

        def operands():
            return [family.normal(*batch, rows, width) * (1 + k / 8) for k, (rows, width) in enumerate(((n, d), (m, d), (m, e)))]

        family.case(name, *operands())
        family.case(name, *operands(), {'scale': 0.5})
        family.case(name, *operands(), {'causal': True})
        mask = family.integers(n, m, high=2)
        mask[:, 0] = 1  # a row that attends to nothing is NaN in PyTorch
        family.case(name, *operands(), {'mask': mask})
        family.case(name, *operands(), {'bias': family.normal(n, m)})
        family.case(name, *operands(), {'bias': family.normal(n, m), 'mask': mask, 'scale': 0.3})
        if batch:
            mask = family.integers(*batch, 1, m, high=2)
            mask[..., 0] = 1
            family.case(name, *operands(), {'mask': mask})
            family.case(name, *operands(), {'bias': family.normal(*batch, n, m)})
            family.case(name, *operands(), {'bias': family.normal(batch[0], *[1 for _ in batch[1:]], n, m)})
            family.case(name, *operands(), {'causal': True, 'bias': family.normal(m)})
    family.case(name, *(family.normal(2, 3, 4) for _ in range(3)), fixed=(0,))
    family.case(name, *(family.normal(2, 3, 4) for _ in range(3)), fixed=(1, 2))
    family.case(name, *(family.normal(2, 3, 4) * 20 for _ in range(3)))
    family.case(name, family.normal(2, 3, 4), torch.zeros(2, 3, 4), family.normal(2, 3, 4))
    for q, k, v in (((3, 4), (5, 3), (5, 4)), ((3, 4), (5, 4), (4, 4)), ((2, 3, 4), (3, 5, 4), (3, 5, 4))):
        family.refused(name, torch.ones(q), torch.ones(k), torch.ones(v))
    some = [torch.ones(3, 4), torch.ones(5, 4), torch.ones(5, 4)]
    family.refused(name, *some, {'mask': torch.ones(4, 5, dtype=torch.int64)})
    family.refused(name, *some, {'mask': torch.ones(3, 3, dtype=torch.int64)})
    family.refused(name, *some, {'bias': torch.ones(3, 4)})


def norms():
    family = Family('norms')
    for shape in ((1, 1), (3, 5), (2, 3, 4), (5,), (17, 33), (1, 65), (0, 4), (4, 1)):
        for eps in (1e-6, 1e-5, 0.1):
            width = shape[-1]
            family.case('layerNorm', family.normal(*shape), family.normal(width), family.normal(width), eps)
            family.case('rmsNorm', family.normal(*shape), family.normal(width), eps)
        family.case('layerNorm', family.normal(*shape), family.normal(width), family.normal(width))
        family.case('rmsNorm', family.normal(*shape))
        family.case('rmsNorm', family.normal(*shape), family.normal(width))
    for shape in ((3, 5), (2, 3, 4)):
        family.case('layerNorm', family.normal(*shape))
        family.case('layerNorm', family.normal(*shape), family.normal(shape[-1]))
        for fixed in ((0,), (1,), (2,), (1, 2), (0, 1)):
            family.case('layerNorm', family.normal(*shape), family.normal(shape[-1]), family.normal(shape[-1]), fixed=fixed)
        for fixed in ((0,), (1,)):
            family.case('rmsNorm', family.normal(*shape), family.normal(shape[-1]), fixed=fixed)
    for scale, shift in ((1e-4, 0), (1e4, 0), (1e12, 0), (1, 50), (1e-3, 1)):
        x = family.normal(3, 9, scale=1.0) * scale + shift
        family.case('layerNorm', x, family.normal(9), family.normal(9), 1e-5)
        family.case('rmsNorm', x, family.normal(9), 1e-5)
        family.case('groupNorm', x.reshape(3, 3, 3), 1, {'weight': family.normal(3), 'bias': family.normal(3)})
    family.case('layerNorm', torch.full((2, 4), 3.0), family.normal(4), family.normal(4), 1e-5)
    family.case('rmsNorm', torch.zeros(2, 4), family.normal(4), 1e-5)
    for shape, groups in (((2, 4), 2), ((2, 4), 1), ((2, 4), 4), ((2, 4, 3), 2), ((1, 6, 2, 3), 3), ((3, 2, 17), 1), ((1, 3, 5, 5), 3), ((2, 4, 1, 1, 2), 2), ((0, 4, 2), 2)):
        if shape == (2, 4) and groups == 4:
            continue  # one element a group: PyTorch refuses it in training
        channels = shape[1]
        given = {'weight': family.normal(channels), 'bias': family.uniform(channels)}
        family.case('groupNorm', family.normal(*shape), groups)
        family.case('groupNorm', family.normal(*shape), groups, given)
        family.case('groupNorm', family.normal(*shape), groups, {**given, 'eps': 0.1})
        family.case('groupNorm', family.normal(*shape), groups, {'weight': family.normal(channels)})
    batches(family)
    family.refused('layerNorm', torch.ones(3, 5), torch.ones(4), torch.ones(5))
    family.refused('layerNorm', torch.ones(3, 5), torch.ones(5), torch.ones(3))
    family.refused('rmsNorm', torch.ones(3, 5), torch.ones(4))
    family.refused('rmsNorm', torch.ones(3, 5), torch.ones(3, 5))
    family.refused('groupNorm', torch.ones(2, 4, 3), 3)
    family.refused('groupNorm', torch.ones(2, 4, 3), 2, {'weight': torch.ones(3)})
    family.refused('groupNorm', torch.ones(2, 4, 3), 2, {'bias': torch.ones(2)})
    family.refused('groupNorm', torch.ones(2, 4, 3), 0)
    family.refused('groupNorm', torch.ones(1, 4), 4)
    family.refused('groupNorm', torch.ones(1, 2, 1), 2)
    return family


def batches(family):
    name = 'batchNorm'
    for shape in ((2, 1), (5, 3), (17, 4), (2, 3, 4), (3, 2, 2, 3), (1, 3, 5, 5), (1, 1, 2), (2, 5, 1, 1, 3)):
        channels = shape[1]

        def running():
            return {'runningMean': family.normal(channels), 'runningVar': family.uniform(channels, low=0.5, high=2)}

        affine = {'weight': family.normal(channels), 'bias': family.uniform(channels)}
        for options in ({}, affine, {**affine, 'momentum': 0.5, 'eps': 0.1}):
            family.case(name, family.normal(*shape), running(), options, lasting=(1, 2))
        family.case(name, family.normal(*shape), running(), {'training': False}, lasting=(1, 2))
        family.case(name, family.normal(*shape), running(), {**affine, 'training': False, 'eps': 0.1}, lasting=(1, 2))
    for fixed in ((0,), (3,), (4,), (3, 4)):
        options = {'weight': family.normal(3), 'bias': family.uniform(3)}
        family.case(name, family.normal(4, 3), running_of(family), options, lasting=(1, 2), fixed=fixed)
    family.case(name, family.normal(9, 3, shift=50.0), running_of(family), {}, lasting=(1, 2))
    family.case(name, torch.full((4, 3), 2.5), running_of(family), {}, lasting=(1, 2))
    ones = {'runningMean': torch.ones(3), 'runningVar': torch.ones(3)}
    family.refused(name, torch.ones(4, 2), ones)
    family.refused(name, torch.ones(1, 3), ones)
    family.refused(name, torch.ones(4, 3), ones, {'weight': torch.ones(2)})
    family.refused(name, torch.ones(4, 3), ones, {'bias': torch.ones(4)})


def running_of(family):
    return {'runningMean': family.normal(3), 'runningVar': family.uniform(3, low=0.5, high=2)}
