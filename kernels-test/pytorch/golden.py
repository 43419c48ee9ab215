"""Cases: an operation, its arguments, and what PyTorch gives for them, forward and backward.

PyTorch computes each case twice: in float64, whose results, rounded to float32, are the goldens; and in float32. Where both
differ in kind (one overflows or is not a number, the other is finite), the golden holds both, and either is right. So it is
with denormals: the other golden is that of zeros in their place.
"""

import gzip
import json
import math
import os
import zlib

import numpy
import torch

from operations import OPERATIONS

FOLDER = os.path.dirname(os.path.abspath(__file__))

# Sums whose terms cancel are known no better than their terms are. What follows from this is measured: see `noise_of`.
NOISY = {
    *('sum', 'mean', 'prod', 'logSumExp', 'variance', 'std', 'norm', 'cumsum', 'softmax', 'logSoftmax'),
    *('mse', 'huber', 'smoothL1', 'bceWithLogits', 'klDiv', 'crossEntropy', 'nll', 'add', 'sub', 'mul', 'div', 'pow'),
    *('matmul', 'linear', 'scaledDotProductAttention', 'conv1d', 'conv2d', 'convTranspose2d', 'avgPool2d'),
    *('interpolate', 'layerNorm', 'rmsNorm', 'groupNorm', 'batchNorm', 'scatterAdd', 'where', 'gather', 'indexSelect'),
    *('embedding', 'expand', 'repeat', 'weightedSum'),
}


class Family:
    """The cases of one file."""

    def __init__(self, name):
        self.name = name
        self.cases = []
        self.refusals = []

    def random(self):
        """Random numbers that depend on the family and the number of the case alone."""
        seed = zlib.crc32(f'{self.name} {len(self.cases)} {len(self.refusals)}'.encode())
        return torch.Generator().manual_seed(seed)

    def normal(self, *shape, scale=1.0, shift=0.0):
        """Normal numbers of three decimals."""
        return rounded(torch.randn(shape, generator=self.random()) * scale + shift, 3)

    def uniform(self, *shape, low=0.0, high=1.0):
        """Numbers from `low` to `high` of three decimals."""
        return rounded(torch.rand(shape, generator=self.random()) * (high - low) + low, 3)

    def integers(self, *shape, low=0, high=10, dtype=torch.int64):
        """Whole numbers from `low` to `high` − 1; int64 stands for u32."""
        return torch.randint(low, high, shape, generator=self.random(), dtype=dtype)

    def case(self, operation, *arguments, fixed=(), about=None, lasting=()):
        """Adds a case.

        Operands whose numbers are in `fixed` take no gradients, nor do those in `lasting`, which the operation changes, and
        which are outputs behind its own. `about` says what is special.
        """
        inputs = []
        references = replaced(arguments, inputs)
        taking = [i for i, x in enumerate(inputs) if x.is_floating_point() and i not in (*fixed, *lasting)]
        wanted = compute(operation, references, inputs, taking, self.random())
        plain = compute(operation, references, inputs, taking, self.random(), torch.float32)
        noise = noise_of(operation, references, inputs, taking, wanted, self.random)
        own = {name: [distance(a, b) for a, b in zip(values, plain[name])] for name, values in wanted.items()}
        noise = {name: [max(pair) for pair in zip(far, noise.get(name, far))] for name, far in own.items()}
        if about == 'denormals':  # which a device may take for 0
            flushed = [torch.where(x.abs() < 2.0**-126, x * 0, x) if x.is_floating_point() else x for x in inputs]
            plain = compute(operation, references, flushed, taking, self.random())
        case = {'operation': operation, 'arguments': references, 'inputs': [stored(x) for x in inputs]}
        for name, values in wanted.items():
            case[name] = [
                both(value, other, far, about) for value, other, far in zip(values, plain[name], noise[name])
            ]
        if taking:
            case['taking'] = taking
        if lasting:
            case['lasting'] = list(lasting)
        if about:
            case['about'] = about
        self.cases.append(case)

    def refused(self, operation, *arguments):
        """Adds a case that PyTorch refuses."""
        inputs = []
        references = replaced(arguments, inputs)
        try:
            OPERATIONS[operation](*restored(references, inputs))
        except (RuntimeError, IndexError, ValueError, TypeError, ZeroDivisionError):
            shapes = [{'shape': list(x.shape), 'dtype': dtype_of(x)} for x in inputs]
            self.refusals.append({'operation': operation, 'arguments': references, 'inputs': shapes})
            return
        raise AssertionError(f'PyTorch does {operation} of {references}, {[x.shape for x in inputs]}')

    def write(self):
        text = json.dumps({'cases': self.cases, 'refusals': self.refusals}, separators=(',', ':'), allow_nan=False)
        path = os.path.join(FOLDER, f'{self.name}.json.gz')
        with open(path, 'wb') as file, gzip.GzipFile('', 'wb', 9, file, mtime=0) as packed:
            packed.write(text.encode())
        size = os.path.getsize(path)
        print(f'{self.name}: {len(self.cases)} cases, {len(self.refusals)} refusals, {size} bytes')
        return len(self.cases), len(self.refusals), size


def rounded(x, decimals):
    return (torch.round(x.double() * 10**decimals) / 10**decimals).float()


def replaced(value, inputs):
    """The arguments with {'input': number} in the place of tensors, which are put into `inputs`."""
    if torch.is_tensor(value):
        for number, known in enumerate(inputs):
            if known is value:
                return {'input': number}
        inputs.append(value)
        return {'input': len(inputs) - 1}
    if isinstance(value, (list, tuple)):
        return [replaced(each, inputs) for each in value]
    if isinstance(value, dict):
        return {name: replaced(each, inputs) for name, each in value.items()}
    return text_of(value) if isinstance(value, float) else value


def restored(value, inputs):
    """The opposite of `replaced`."""
    if isinstance(value, dict):
        return inputs[value['input']] if 'input' in value else {k: restored(v, inputs) for k, v in value.items()}
    if isinstance(value, list):
        return [restored(each, inputs) for each in value]
    return {'nan': math.nan, 'inf': math.inf, '-inf': -math.inf}.get(value, value) if isinstance(value, str) else value


def compute(operation, references, inputs, taking, random, dtype=torch.float64, shake=None):
    """Outputs; gradients of outputs, drawn at random; gradients of the inputs that take them."""
    change = shake or (lambda x: x)
    leaves = [change(x.to(dtype)).clone() if x.is_floating_point() else x for x in inputs]
    for i in taking:
        leaves[i].requires_grad_()
    outputs = OPERATIONS[operation](*restored(references, leaves))
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    found = {'outputs': [y.detach() for y in outputs]}
    if not taking or not all(y.is_floating_point() for y in outputs):
        return found
    made = [y for y in outputs if y.requires_grad]
    # Halves and quarters among them are exact, so that gradients of what only moves are too.
    found['dOutputs'] = [rounded(torch.randn(y.shape, generator=random), 2).to(dtype) for y in made or outputs]
    gradients = [None] * len(taking)
    if made:
        dOutputs = [change(dy) for dy in found['dOutputs']]
        gradients = torch.autograd.grad(made, [leaves[i] for i in taking], dOutputs, allow_unused=True)
    pairs = zip(taking, gradients)
    found['gradients'] = [torch.zeros_like(leaves[i]) if g is None else g for i, g in pairs]
    return found


def noise_of(operation, references, inputs, taking, wanted, random):
    """How far off float32 is, where each operand is changed in its last bit (by 2⁻²³ of it, up or down): norms, of six times."""
    if operation not in NOISY:
        return {}
    far = {name: [0.0] * len(values) for name, values in wanted.items()}
    for turn in range(6):
        generator = torch.Generator().manual_seed(turn)

        def shake(x):
            signs = torch.randint(0, 2, x.shape, generator=generator) * 2 - 1
            return x * (1 + signs * 2.0**-23)

        moved = compute(operation, references, inputs, taking, random(), torch.float32, shake)
        for name, values in moved.items():
            for i, (value, still) in enumerate(zip(values, wanted[name])):
                far[name][i] = max(far[name][i], distance(value, still))
    return far


def distance(a, b):
    """The norm of the difference of what is finite."""
    if not a.is_floating_point():
        return 0.0
    apart = a.double() - b.double()
    return apart[torch.isfinite(apart)].norm().item()


def dtype_of(x):
    return 'f32' if x.is_floating_point() else 'i32' if x.dtype == torch.int32 else 'u32'


def text_of(number):
    """JSON has no words for what is not finite."""
    if math.isnan(number):
        return 'nan'
    if math.isinf(number):
        return 'inf' if number > 0 else '-inf'
    return number


def numbers(x):
    """The shortest decimals that stand for the same elements."""
    flat = x.detach().reshape(-1)
    if not x.is_floating_point():
        values = flat.tolist()
        return values if x.dtype == torch.int32 else [int(value) & 0xFFFFFFFF for value in values]
    elements = flat.float().numpy()
    texts = [float(str(element)) for element in elements]
    assert numpy.array_equal(numpy.array(texts, dtype=numpy.float32), elements, equal_nan=True)
    return [text_of(int(value) if value == int(value) and value != 0 and abs(value) < 1e6 else value)
            if math.isfinite(value) else text_of(value) for value in texts]


def stored(x):
    dtype = dtype_of(x)
    return {'shape': list(x.shape), **({} if dtype == 'f32' else {'dtype': dtype}), 'data': numbers(x)}


def kinds(x):
    return torch.where(torch.isnan(x), 2.0, torch.where(torch.isinf(x), torch.sign(x).float(), 0.0))


def both(value, plain, noise, about):
    """A result, with the other that is right too where they differ, and with what it may be off by where its terms cancel."""
    if value.is_floating_point():
        value, plain = value.float(), plain.float()
    # But for denormals, results of one kind differ by rounding.
    differing = (value != plain if about == 'denormals' else kinds(value) != kinds(plain)).reshape(-1)
    found = stored(value)
    if differing.any():
        others = numbers(plain)
        found['or'] = {i: others[i] for i in differing.nonzero().reshape(-1).tolist()}
    norm = value[torch.isfinite(value)].double().norm().item()
    if noise > 2e-7 * norm and noise > 1e-37:
        found['noise'] = float(f'{noise:.1e}')
    return found
