"""What each operation of src/index.ts is in PyTorch, with the operation's own name and order of arguments.

The last argument of an operation may be its options: a dict. Tensors of u32 are int64 here, and bool where PyTorch wants it.
"""

import math

import torch
import torch.nn.functional as F


def like(number, other):
    """A number as a tensor that goes with `other`."""
    return number if torch.is_tensor(number) else torch.tensor(number, dtype=other.dtype)


def both(function):
    """A function of two tensors, of which one may be a number."""
    return lambda a, b: function(like(a, b), like(b, a))


def listed(axes, x):
    """Axes as a list: all of them where none is named."""
    if axes is None:
        return list(range(x.dim()))
    return [axes] if isinstance(axes, int) else list(axes)


def reduction(function):
    """A reduction over a list of axes."""

    def reduce(x, axes=None, options={}):
        rest = dict(options)
        keep = rest.pop('keepDim', False)
        return function(x, listed(axes, x), keep, **rest)

    return reduce


def prod(x, axes, keep):
    """PyTorch multiplies over one axis at a time."""
    if any(not -x.dim() <= axis < max(x.dim(), 1) for axis in axes):
        raise IndexError('axis out of range')
    if len({axis % x.dim() for axis in axes}) != len(axes):
        raise RuntimeError('an axis twice')
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = torch.prod(x, axis, keep)
    return x


def norm(x, axes, keep):
    return torch.linalg.vector_norm(x, 2, axes, keep)


def position(function):
    def find(x, axis=None, options={}):
        return function(x, axis, options.get('keepDim', False))

    return find


def camel(options):
    """Options under PyTorch's names."""
    names = {
        'labelSmoothing': 'label_smoothing',
        'ignoreIndex': 'ignore_index',
        'posWeight': 'pos_weight',
        'outputPadding': 'output_padding',
        'countIncludePad': 'count_include_pad',
        'alignCorners': 'align_corners',
    }
    given = {names.get(name, name): value for name, value in options.items()}
    if given.get('reduction') == 'batchMean':
        given['reduction'] = 'batchmean'
    return given


def loss(function):
    return lambda prediction, target, options={}: function(prediction, target, **camel(options))


def slice_(x, axis, start, end=None, step=1):
    if not -x.dim() <= axis < x.dim():
        raise IndexError('axis out of range')
    places = [slice(None)] * x.dim()
    places[axis] = slice(start, end, step)
    return x[tuple(places)]


def scatter_add(x, axis, indices, source):
    # Of what is larger than the indices, the rest is left out. PyTorch's own way back fails on it.
    if source.dim() == indices.dim():
        source = source[tuple(slice(0, extent) for extent in indices.shape)]
    return torch.scatter_add(x, axis, indices, source)


def matmul(a, b, layout='nn'):
    if layout == 'nn':
        return torch.matmul(a, b)
    if layout == 'nt':
        return torch.matmul(a, b.T)
    return torch.matmul(a.T, b)


def linear(x, weight, bias=None, residual=None):
    y = F.linear(x, weight, bias)
    return y if residual is None else y + residual


def attention(q, k, v, options={}):
    """scaled_dot_product_attention, as PyTorch's documentation writes it out."""
    scale = options.get('scale', 1 / math.sqrt(q.shape[-1]))
    scores = torch.matmul(q, k.transpose(-2, -1)) * scale
    if 'bias' in options:
        scores = scores + options['bias']
    if 'mask' in options:
        scores = scores.masked_fill(~options['mask'].bool(), -math.inf)
    if options.get('causal'):
        kept = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
        scores = scores.masked_fill(~kept, -math.inf)
    return torch.matmul(torch.softmax(scores, -1), v)


def convolution(function):
    return lambda x, weight, bias=None, options={}: function(x, weight, bias, **camel(options))


def transposed(x, weight, bias=None, options={}):
    return F.conv_transpose2d(x, weight, bias, **camel(options))


def pool(function):
    return lambda x, kernel, options={}: function(x, kernel, **camel(options))


def interpolate(x, size, options={}):
    given = camel(options)
    mode = given.pop('mode', 'nearest')
    if mode == 'nearest':
        return F.interpolate(x, size, mode='nearest')
    return F.interpolate(x, size, mode=mode, align_corners=given.get('align_corners', False))


def layer_norm(x, weight=None, bias=None, eps=1e-6):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def rms_norm(x, weight=None, eps=1e-6):
    """torch.nn.functional.rms_norm, which came with PyTorch 2.4."""
    if weight is not None and weight.shape != x.shape[-1:]:
        raise RuntimeError('the weight is of another shape')
    y = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps)
    return y if weight is None else y * weight


def group_norm(x, groups, options={}):
    return F.group_norm(x, groups, options.get('weight'), options.get('bias'), options.get('eps', 1e-5))


def batch_norm(x, running, options={}):
    """What comes out, and the running statistics after it."""
    mean, variance = running['runningMean'], running['runningVar']
    given = {'training': True, 'momentum': 0.1, 'eps': 1e-5, **options}
    return [F.batch_norm(x, mean, variance, **given), mean, variance]


DTYPES = {'f32': torch.float32, 'i32': torch.int32, 'u32': torch.int64}


def to(x, dtype):
    # Where float64 stands in for float32, so it does here.
    return x.to(x.dtype if dtype == 'f32' and x.is_floating_point() else DTYPES[dtype])


def logical(function):
    return lambda *operands: function(*(operand.bool() for operand in operands))


def where(condition, a, b):
    other = a if torch.is_tensor(a) else b
    if not torch.is_tensor(other):
        other = torch.zeros(())
    return torch.where(condition.bool(), like(a, other), like(b, other))


UNARY = {
    'neg': torch.neg,
    'abs': torch.abs,
    'square': torch.square,
    'sqrt': torch.sqrt,
    'rsqrt': torch.rsqrt,
    'reciprocal': torch.reciprocal,
    'exp': torch.exp,
    'exp2': torch.exp2,
    'expm1': torch.expm1,
    'log': torch.log,
    'log2': torch.log2,
    'log1p': torch.log1p,
    'sin': torch.sin,
    'cos': torch.cos,
    'tan': torch.tan,
    'tanh': torch.tanh,
    'sigmoid': torch.sigmoid,
    'erf': torch.erf,
    'relu': F.relu,
    'silu': F.silu,
    'softplus': F.softplus,
    'mish': F.mish,
    'logSigmoid': F.logsigmoid,
    'sign': torch.sign,
    'floor': torch.floor,
    'ceil': torch.ceil,
    'round': torch.round,
    'trunc': torch.trunc,
    'gelu': lambda x, options={}: F.gelu(x, **options),
    'leakyRelu': lambda x, slope=0.01: F.leaky_relu(x, slope),
    'elu': lambda x, alpha=1: F.elu(x, alpha),
    'clamp': lambda x, options: torch.clamp(x, options.get('min'), options.get('max')),
}

ARITHMETIC = {
    'add': both(torch.add),
    'sub': both(torch.sub),
    'mul': both(torch.mul),
    'div': both(torch.div),
    'pow': both(torch.pow),
    'maximum': both(torch.maximum),
    'minimum': both(torch.minimum),
}

COMPARISONS = {name: both(getattr(torch, name)) for name in ('eq', 'ne', 'lt', 'le', 'gt', 'ge')}

REDUCTIONS = {
    'sum': reduction(lambda x, axes, keep: torch.sum(x, axes, keep)),
    'mean': reduction(lambda x, axes, keep: torch.mean(x, axes, keep)),
    'max': reduction(lambda x, axes, keep: torch.amax(x, axes, keep)),
    'min': reduction(lambda x, axes, keep: torch.amin(x, axes, keep)),
    'prod': reduction(prod),
    'logSumExp': reduction(lambda x, axes, keep: torch.logsumexp(x, axes, keep)),
    'variance': reduction(lambda x, axes, keep, correction=1: torch.var(x, axes, correction=correction, keepdim=keep)),
    'std': reduction(lambda x, axes, keep, correction=1: torch.std(x, axes, correction=correction, keepdim=keep)),
    'norm': reduction(norm),
}

OPERATIONS = {
    **UNARY,
    **ARITHMETIC,
    **COMPARISONS,
    **REDUCTIONS,
    'isNan': torch.isnan,
    'isFinite': torch.isfinite,
    'logicalNot': logical(torch.logical_not),
    'logicalAnd': logical(torch.logical_and),
    'logicalOr': logical(torch.logical_or),
    'where': where,
    'to': to,
    'full': lambda program, shape, value: torch.full(shape, value, dtype=torch.float32),
    'fullLike': torch.full_like,
    'zerosLike': torch.zeros_like,
    'onesLike': torch.ones_like,
    'argMax': position(torch.argmax),
    'argMin': position(torch.argmin),
    'cumsum': torch.cumsum,
    'softmax': lambda x, axis=-1: torch.softmax(x, axis),
    'logSoftmax': lambda x, axis=-1: torch.log_softmax(x, axis),
    'mse': loss(F.mse_loss),
    'l1': loss(F.l1_loss),
    'huber': loss(F.huber_loss),
    'smoothL1': loss(F.smooth_l1_loss),
    'bceWithLogits': loss(F.binary_cross_entropy_with_logits),
    'klDiv': loss(F.kl_div),
    'crossEntropy': loss(F.cross_entropy),
    'nll': loss(F.nll_loss),
    'reshape': torch.reshape,
    'flatten': torch.flatten,
    'squeeze': torch.squeeze,
    'unsqueeze': torch.unsqueeze,
    'permute': torch.permute,
    'transpose': torch.transpose,
    'slice': slice_,
    'concat': torch.cat,
    'stack': torch.stack,
    'split': torch.split,
    'pad': lambda x, pads, options={}: F.pad(x, pads, 'constant', options.get('value', 0)),
    'flip': torch.flip,
    'expand': lambda x, shape: x.expand(shape),
    'repeat': lambda x, repeats: x.repeat(repeats),
    'tril': torch.tril,
    'triu': torch.triu,
    'gather': torch.gather,
    'indexSelect': torch.index_select,
    'embedding': F.embedding,
    'oneHot': lambda indices, classes: F.one_hot(indices, classes).float(),
    'scatterAdd': scatter_add,
    'matmul': matmul,
    'linear': linear,
    'scaledDotProductAttention': attention,
    'conv1d': convolution(F.conv1d),
    'conv2d': convolution(F.conv2d),
    'convTranspose2d': transposed,
    'maxPool2d': pool(F.max_pool2d),
    'avgPool2d': pool(F.avg_pool2d),
    'interpolate': interpolate,
    'layerNorm': layer_norm,
    'rmsNorm': rms_norm,
    'groupNorm': group_norm,
    'batchNorm': batch_norm,
}
