"""Cases of convolutions, pooling and resizing."""

import torch

from elementwise import INF, NAN
from golden import Family


def images():
    family = Family('images')
    convolutions(family)
    transposed(family)
    lines(family)
    pools(family)
    resizes(family)
    return family


def convolutions(family):
    name = 'conv2d'
    for x, weight, options in (
        ((1, 1, 1, 1), (1, 1, 1, 1), {}),
        ((1, 1, 4, 4), (1, 1, 3, 3), {}),
        ((2, 3, 5, 4), (4, 3, 3, 2), {}),
        ((2, 3, 5, 4), (4, 3, 1, 1), {}),
        ((1, 2, 5, 5), (3, 2, 3, 3), {'padding': 1}),
        ((1, 2, 5, 5), (3, 2, 3, 3), {'stride': 2}),
        ((1, 2, 6, 5), (3, 2, 3, 3), {'stride': 2, 'padding': 1}),
        ((1, 2, 7, 7), (2, 2, 3, 3), {'dilation': 2}),
        ((1, 2, 7, 6), (2, 2, 3, 2), {'dilation': [2, 3], 'padding': [1, 2], 'stride': [1, 2]}),
        ((1, 4, 4, 4), (4, 2, 3, 3), {'groups': 2}),
        ((2, 4, 4, 3), (6, 2, 2, 2), {'groups': 2, 'padding': 1}),
        ((1, 3, 5, 5), (3, 1, 3, 3), {'groups': 3}),
        ((1, 3, 5, 5), (6, 1, 3, 3), {'groups': 3, 'padding': 1, 'stride': 2}),
        ((1, 2, 6, 6), (3, 2, 2, 2), {'stride': 2}),
        ((1, 2, 7, 5), (2, 2, 2, 2), {'stride': 3}),
        ((1, 1, 3, 3), (1, 1, 5, 5), {'padding': 2}),
        ((1, 1, 2, 2), (2, 1, 3, 3), {'padding': 3}),
        ((1, 2, 1, 17), (3, 2, 1, 5), {}),
        ((1, 2, 17, 1), (3, 2, 5, 1), {'stride': [3, 1]}),
        ((1, 17, 2, 2), (3, 17, 2, 2), {}),
        ((1, 2, 3, 3), (17, 2, 2, 2), {}),
        ((3, 1, 4, 4), (2, 1, 4, 4), {}),
        ((0, 2, 4, 4), (3, 2, 3, 3), {}),
        ((1, 4, 3, 3), (8, 4, 3, 3), {'padding': 1}),
    ):
        bias = family.normal(weight[0])
        family.case(name, family.normal(*x), family.normal(*weight), bias, *([options] if options else []))
        family.case(name, family.normal(*x), family.normal(*weight), None, options)
    for fixed in ((0,), (1,), (2,), (0, 2), (1, 2)):
        family.case(name, family.normal(1, 2, 4, 4), family.normal(3, 2, 3, 3), family.normal(3), fixed=fixed)
    family.case(name, family.normal(1, 1, 3, 3) * 1e12, family.normal(1, 1, 2, 2) * 1e12)
    family.case(name, family.normal(1, 1, 3, 3) * 1e-12, family.normal(1, 1, 2, 2) * 1e-12)
    family.case(name, torch.tensor([[[[1, INF, 0], [0, 0, 0], [0, NAN, 0]]]]), torch.ones(1, 1, 2, 2), about='NaN')
    x = torch.ones(1, 2, 4, 4)
    for weight, *rest in (
        ((3, 3, 3, 3),),
        ((3, 2, 5, 5),),
        ((3, 2, 3, 3), torch.ones(2)),
        ((3, 2, 3, 3), None, {'groups': 2}),
        ((3, 1, 3, 3), None, {'groups': 2}),
        ((3, 2, 3, 3), None, {'stride': 0}),
        ((3, 2, 3, 3), None, {'padding': -1}),
        ((3, 2, 3, 3), None, {'dilation': 2}),
        ((3, 2, 3, 3), None, {'dilation': 0}),
        ((3, 2, 3),),
    ):
        family.refused(name, x, torch.ones(weight), *rest)
    family.refused(name, torch.ones(2, 4), torch.ones(3, 2, 3, 3))


def transposed(family):
    name = 'convTranspose2d'
    for x, weight, options in (
        ((1, 1, 1, 1), (1, 1, 1, 1), {}),
        ((1, 1, 3, 3), (1, 1, 3, 3), {}),
        ((2, 3, 2, 4), (3, 4, 3, 2), {}),
        ((1, 2, 3, 3), (2, 3, 3, 3), {'padding': 1}),
        ((1, 2, 3, 3), (2, 3, 3, 3), {'stride': 2}),
        ((1, 2, 3, 4), (2, 3, 3, 3), {'stride': 2, 'padding': 1, 'outputPadding': 1}),
        ((1, 2, 3, 4), (2, 3, 2, 2), {'stride': 2}),
        ((1, 2, 2, 3), (2, 1, 2, 3), {'stride': [2, 3], 'padding': [0, 1], 'outputPadding': [1, 0]}),
        ((1, 2, 3, 3), (2, 2, 2, 2), {'dilation': 2}),
        ((1, 2, 3, 3), (2, 2, 2, 2), {'dilation': 3, 'outputPadding': 2}),
        ((1, 4, 3, 2), (4, 2, 2, 2), {'groups': 2}),
        ((2, 3, 2, 2), (3, 1, 3, 3), {'groups': 3, 'padding': 1}),
        ((1, 4, 2, 2), (4, 3, 3, 3), {'groups': 2, 'stride': 2, 'padding': 1}),
        ((1, 17, 2, 1), (17, 2, 2, 2), {}),
        ((1, 1, 5, 1), (1, 2, 4, 1), {'stride': [3, 1]}),
        ((1, 2, 3, 3), (2, 3, 2, 2), {'stride': 3}),
        ((0, 2, 3, 3), (2, 3, 2, 2), {}),
    ):
        channels = weight[1] * options.get('groups', 1)
        family.case(name, family.normal(*x), family.normal(*weight), family.normal(channels), *([options] if options else []))
        family.case(name, family.normal(*x), family.normal(*weight), None, options)
    for fixed in ((0,), (1,), (2,)):
        family.case(name, family.normal(1, 2, 3, 3), family.normal(2, 3, 2, 2), family.normal(3), fixed=fixed)
    x = torch.ones(1, 2, 4, 4)
    for weight, *rest in (
        ((3, 2, 3, 3),),
        ((2, 3, 3, 3), torch.ones(2)),
        ((2, 3, 3, 3), None, {'outputPadding': 1}),
        ((2, 3, 3, 3), None, {'stride': 2, 'outputPadding': 2}),
        ((2, 3, 3, 3), None, {'groups': 3}),
        ((2, 3, 3, 3), None, {'padding': -1}),
        ((2, 3, 3, 3), None, {'stride': 0}),
        ((2, 3, 3, 3), None, {'padding': 4}),
    ):
        family.refused(name, x, torch.ones(weight), *rest)


def lines(family):
    name = 'conv1d'
    family.case(name, family.normal(600, 1, 2), family.normal(2, 1, 2), family.normal(2))  # images in several chunks
    for x, weight, options in (
        ((1, 1, 1), (1, 1, 1), {}),
        ((2, 3, 7), (4, 3, 3), {}),
        ((1, 2, 9), (3, 2, 3), {'padding': 1}),
        ((1, 2, 9), (3, 2, 3), {'stride': 2}),
        ((1, 2, 9), (3, 2, 3), {'dilation': 3}),
        ((1, 4, 6), (4, 2, 2), {'groups': 2}),
        ((2, 3, 6), (3, 1, 3), {'groups': 3, 'padding': 2, 'stride': 2}),
        ((1, 2, 33), (2, 2, 5), {'stride': 4, 'padding': 2}),
        ((0, 2, 5), (3, 2, 3), {}),
    ):
        family.case(name, family.normal(*x), family.normal(*weight), family.normal(weight[0]), *([options] if options else []))
        family.case(name, family.normal(*x), family.normal(*weight), None, options)
    x = torch.ones(1, 2, 5)
    for weight, *rest in (((3, 3, 3),), ((3, 2, 6),), ((3, 2, 3), torch.ones(2)), ((3, 2, 3), None, {'groups': 2}), ((3, 2, 3), None, {'stride': 0}), ((3, 2, 3), None, {'padding': -1})):
        family.refused(name, x, torch.ones(weight), *rest)
    family.refused(name, torch.ones(5), torch.ones(3, 2, 3))


def pools(family):
    sizes = [(1, 1, 2, 2), (2, 3, 4, 4), (1, 2, 5, 7), (1, 1, 9, 3), (2, 1, 3, 17)]
    for name in ('maxPool2d', 'avgPool2d'):
        for shape in sizes:
            for kernel, options in (
                (2, {}),
                ([2, 1], {}),
                (1, {}),
                (2, {'stride': 1}),
                (2, {'stride': [1, 2], 'padding': 1}),
                ([2, 3], {'padding': [1, 1]}),
                (2, {'stride': 3}),
            ):
                size = kernel if isinstance(kernel, list) else [kernel, kernel]
                pads = options.get('padding', 0)
                pads = pads if isinstance(pads, list) else [pads, pads]
                if all(extent + 2 * pad >= part for extent, pad, part in zip(shape[2:], pads, size)):
                    family.case(name, family.normal(*shape), kernel, *([options] if options else []))
        family.case(name, torch.zeros(1, 1, 4, 4), 2)
        family.case(name, torch.tensor([[[[1.0, 1, 2, 2], [1, 0, 2, 3], [5, 5, -1, -1], [5, 5, -1, -1]]]]), 2)
        family.case(name, torch.tensor([[[[1.0, 1, 2, 2], [1, 0, 2, 3], [5, 5, -1, -1], [5, 5, -1, -1]]]]), 3, {'stride': 1})
        family.case(name, -torch.ones(1, 1, 3, 3), 2, {'padding': 1})
        family.case(name, family.normal(1, 1, 4, 4) * 1e30, 2)
        family.case(name, torch.tensor([[[[1, INF], [-INF, 2]]]]), 1)
        family.case(name, torch.tensor([[[[1, INF, 0, 3], [-INF, 2, -INF, -INF]]]]), 2, about='infinities')
        family.case(name, torch.full((1, 1, 2, 2), -INF), 2, about='infinities')
        family.case(name, torch.tensor([[[[1, NAN, 0, 3], [5, 2, 1, 1]]]]), 2, about='NaN')
        family.case(name, torch.ones(0, 2, 4, 4), 2)
        x = torch.ones(1, 2, 4, 4)
        for kernel, *rest in ((5,), (0,), (2, {'padding': 2}), (2, {'stride': 0}), (2, {'padding': -1}), ([2, 5],)):
            if not (name == 'avgPool2d' and (kernel, *rest) in ((0,), (2, {'stride': 0}))):
                family.refused(name, x, kernel, *rest)
        family.refused(name, torch.ones(4, 4), 2)
    for shape in sizes[1:]:
        family.case('avgPool2d', family.normal(*shape), 2, {'padding': 1, 'countIncludePad': False})
        family.case('avgPool2d', family.normal(*shape), 3, {'padding': 1, 'stride': 2, 'countIncludePad': False})
        family.case('avgPool2d', family.normal(*shape), 3, {'padding': 1, 'stride': 2, 'countIncludePad': True})
    for shape in sizes[2:4]:
        family.case('maxPool2d', family.normal(*shape), 2, {'dilation': 2})
        family.case('maxPool2d', family.normal(*shape), 2, {'dilation': [2, 1], 'padding': 1, 'stride': 1})
    family.refused('maxPool2d', torch.ones(1, 1, 4, 4), 3, {'dilation': 2})
    family.refused('maxPool2d', torch.ones(1, 1, 4, 4), 2, {'dilation': 0})


def resizes(family):
    sizes = [((1, 1, 2, 2), [4, 4]), ((2, 3, 4, 5), [8, 10]), ((1, 2, 5, 3), [3, 2]), ((1, 1, 4, 4), [4, 4]), ((1, 2, 3, 4), [7, 1]), ((1, 1, 1, 1), [3, 3]), ((1, 1, 7, 2), [2, 5]), ((1, 1, 17, 3), [5, 4])]
    for shape, size in sizes:
        family.case('interpolate', family.normal(*shape), size)
        family.case('interpolate', family.normal(*shape), size, {'mode': 'bilinear'})
        family.case('interpolate', family.normal(*shape), size, {'mode': 'bilinear', 'alignCorners': True})
        family.case('interpolate', family.normal(*shape), size, {'mode': 'nearest'})
    family.refused('interpolate', torch.ones(1, 1, 2, 2), [0, 2])
    family.refused('interpolate', torch.ones(1, 1, 2, 2), [2, -1])
    family.refused('interpolate', torch.ones(1, 1, 2, 2), [2])
    family.refused('interpolate', torch.ones(2, 2), [2, 2])
    family.refused('interpolate', torch.ones(1, 1, 2, 2), [4, 4], {'mode': 'nothing'})
