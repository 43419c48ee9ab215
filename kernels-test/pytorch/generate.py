"""Writes the goldens beside this file: `python3 kernels-test/pytorch/generate.py [family …]`, with PyTorch 1.13 or newer.

Seeds are fixed: the same PyTorch gives the same files.
"""

import sys

import torch

import elementwise
import images
import losses
import products
import reductions
import shapes

FAMILIES = {
    'unary': elementwise.unary,
    'binary': elementwise.binary,
    'conversions': elementwise.conversions,
    'reductions': reductions.reductions,
    'along': reductions.along,
    'losses': losses.losses,
    'shapes': shapes.shapes,
    'indices': shapes.indices,
    'products': products.products,
    'norms': products.norms,
    'images': images.images,
}


def main(names):
    torch.set_num_threads(1)
    written = [FAMILIES[name]().write() for name in names or FAMILIES]
    cases, refusals, size = (sum(column) for column in zip(*written))
    print(f'all: {cases} cases, {refusals} refusals, {size} bytes')


if __name__ == '__main__':
    main(sys.argv[1:])
