"""Cases of losses."""

import torch

from elementwise import INF, NAN, tensor
from golden import Family

REDUCTIONS = [{}, {'reduction': 'mean'}, {'reduction': 'sum'}, {'reduction': 'none'}]
SHAPES = [(), (1,), (5,), (3, 17), (2, 1, 3), (65,), (0,), (0, 3)]


def losses():
    family = Family('losses')
    distances(family)
    binary(family)
    divergence(family)
    classes(family)
    return family


def distances(family):
    variants = {
        'mse': [{}],
        'l1': [{}],
        'huber': [{}, {'delta': 0.5}, {'delta': 3.0}],
        'smoothL1': [{}, {'beta': 0.3}, {'beta': 2.0}, {'beta': 0}],
    }
    for name, options in variants.items():
        for shape in SHAPES:
            for reduction in REDUCTIONS:
                family.case(name, family.normal(*shape), family.normal(*shape), *([reduction] if reduction else []))
        for option in options[1:]:
            for reduction in REDUCTIONS:
                family.case(name, family.normal(3, 5), family.normal(3, 5), {**option, **reduction})
        ties = (tensor(1, 2, 0, 1, -1, 0.5), tensor(1, 1, 1, 0, -2, 0.5))
        for option in options:
            family.case(name, *ties, {**option, 'reduction': 'none'})
        family.case(name, family.normal(3, 5), family.normal(3, 5), fixed=(0,))
        family.case(name, family.normal(3, 5), family.normal(3, 5), fixed=(1,))
        for scale in (1e-15, 1e5, 1e15, 1e25):
            a, b = (family.normal(7) * scale).float(), (family.normal(7) * scale * 2).float()
            family.case(name, a, b, {'reduction': 'none'})
            family.case(name, a, b)
        family.case(name, tensor(1, INF, -INF, 0), tensor(0, 0, 0, INF), {'reduction': 'none'}, about='infinities')
        family.case(name, tensor(1, NAN, 0), tensor(0, 0, NAN), {'reduction': 'none'}, about='NaN')
        x = family.normal(4)
        family.case(name, x, x)
        family.refused(name, torch.ones(3), torch.ones(4))
        family.refused(name, torch.ones(2, 3), torch.ones(2, 4))
        family.refused(name, torch.ones(3), torch.ones(3), {'reduction': 'most'})
    family.refused('huber', torch.ones(3), torch.ones(3), {'delta': -1})
    family.refused('huber', torch.ones(3), torch.ones(3), {'delta': 0})
    family.refused('smoothL1', torch.ones(3), torch.ones(3), {'beta': -1})


def binary(family):
    name = 'bceWithLogits'
    for shape in SHAPES:
        for reduction in REDUCTIONS:
            x, target = family.normal(*shape, scale=3), family.uniform(*shape)
            family.case(name, x, target, *([reduction] if reduction else []))
    for reduction in REDUCTIONS:
        for weight in ((5,), (1,), ()):
            x, target = family.normal(3, 5, scale=2), family.integers(3, 5, high=2).float()
            family.case(name, x, target, {'posWeight': family.uniform(*weight, high=3), **reduction}, fixed=(2,))
    far = tensor(0, -0.0, 20, -20, 90, -90, 200, -200, 1e30, -1e30, 1e-20, 1e-6)
    for target in (0.0, 1.0, 0.5):
        family.case(name, far, torch.full((12,), target), {'reduction': 'none'})
    family.case(name, tensor(INF, -INF, NAN), tensor(1, 0, 1), {'reduction': 'none'})
    family.refused(name, torch.ones(3), torch.ones(4))
    family.refused(name, torch.ones(3, 1), torch.ones(3))
    family.refused(name, torch.ones(2, 3), torch.ones(2, 3), {'posWeight': torch.ones(2)})


def divergence(family):
    for shape in ((5,), (3, 17), (2, 3, 4), (1, 1), (0, 3)):
        for reduction in [*REDUCTIONS, {'reduction': 'batchMean'}]:
            logs = torch.log_softmax(family.normal(*shape), -1)
            targets = torch.softmax(family.normal(*shape), -1)
            family.case('klDiv', logs, targets, *([reduction] if reduction else []))
    zeros = torch.tensor([[0.0, 0.5, 0.5], [1, 0, 0]])
    for reduction in REDUCTIONS:
        family.case('klDiv', torch.log_softmax(family.normal(2, 3), -1), zeros, *([reduction] if reduction else []), fixed=(1,))
    family.case('klDiv', family.normal(4), tensor(1e-20, 1e-37, 1, 1e10), {'reduction': 'none'})
    for reduction in REDUCTIONS:
        family.case('klDiv', family.normal(2, 3), zeros, *([reduction] if reduction else []))
    ends = tensor(-INF, -1, 0, INF, -INF, 2), tensor(0, 0, 1, 0, 1, NAN)
    family.case('klDiv', *ends, {'reduction': 'none'}, about='infinities')
    family.refused('klDiv', torch.ones(3), torch.ones(4))
    family.refused('klDiv', torch.ones(3), torch.ones(3), {'reduction': 'most'})


def classes(family):
    sizes = [(1, 1), (1, 3), (3, 1), (3, 5), (17, 10), (4, 65), (65, 3)]
    for batch, width in sizes:
        for reduction in REDUCTIONS:
            given = [reduction] if reduction else []
            targets = family.integers(batch, high=width)
            family.case('crossEntropy', family.normal(batch, width, scale=2), targets, *given)
            soft = torch.softmax(family.normal(batch, width), -1)
            family.case('crossEntropy', family.normal(batch, width, scale=2), soft, *given)
            logs = torch.log_softmax(family.normal(batch, width), -1)
            family.case('nll', logs, targets, *given)
            family.case('crossEntropy', family.normal(batch, width), targets, {'labelSmoothing': 0.1, **reduction})
    for reduction in REDUCTIONS:
        soft = torch.softmax(family.normal(3, 5), -1)
        family.case('crossEntropy', family.normal(3, 5), soft, {'labelSmoothing': 0.3, **reduction})
        targets = torch.tensor([0, 2, 1, 2])
        for smoothing in ({}, {'labelSmoothing': 0.2}, {'labelSmoothing': 1.0}):
            family.case('crossEntropy', family.normal(4, 3), targets, {'ignoreIndex': 2, **smoothing, **reduction})
        family.case('crossEntropy', family.normal(4, 3), torch.tensor([0, 255, 1, 255]), {'ignoreIndex': 255, **reduction})
        family.case('crossEntropy', family.normal(2, 3), torch.tensor([1, 1]), {'ignoreIndex': 1, **reduction})
    rows = torch.tensor([[1e30, -1e30, 0], [88, 90, -90], [0, 0, 0], [-1e4, -1e4, 0], [1e-20, 0, 0]])
    for target in (0, 1, 2):
        family.case('crossEntropy', rows, torch.full((5,), target), {'reduction': 'none'})
    family.case('crossEntropy', torch.tensor([[0, -INF, 1], [NAN, 0, 1], [1, 2, 3]]), torch.tensor([0, 1, 2]), {'reduction': 'none'})
    family.case('crossEntropy', family.normal(3, 4), torch.zeros(3, 4))
    family.case('crossEntropy', family.normal(3, 4), family.normal(3, 4), {'reduction': 'none'})
    family.case('crossEntropy', family.normal(3, 4), torch.eye(4)[:3].contiguous(), fixed=(1,))
    family.case('crossEntropy', torch.ones(0, 3), torch.zeros(0, dtype=torch.int64))
    family.case('crossEntropy', torch.ones(0, 3), torch.zeros(0, dtype=torch.int64), {'reduction': 'sum'})
    family.case('nll', torch.tensor([[0, -INF], [-INF, -1]]), torch.tensor([0, 1]), {'reduction': 'none'})
    for name in ('crossEntropy', 'nll'):
        family.refused(name, torch.ones(3, 4), torch.zeros(2, dtype=torch.int64))
        family.refused(name, torch.ones(3, 4), torch.zeros(3, 1, dtype=torch.int64))
        family.refused(name, torch.ones(3, 4), torch.zeros(3, dtype=torch.int64), {'reduction': 'most'})
    family.refused('crossEntropy', torch.ones(3, 4), torch.ones(3, 3))
    family.refused('crossEntropy', torch.ones(3, 4), torch.ones(2, 4))
    family.refused('crossEntropy', torch.ones(3, 4), torch.zeros(3, dtype=torch.int64), {'labelSmoothing': 1.5})
