// The small transformer that reads a text letter by letter, what it reads, and how it is trained.
// To run it: npm run examples characters
import { add, Embedding, gelu, LayerNorm, Linear, Module } from 'palimpsest';
import { scaledDotProductAttention, Sequential, transpose, type Tensor } from 'palimpsest';

export const TEXT =
  'a palimpsest is a page that was written on twice. its first writing was scraped away, and yet it shines through ' +
  'the second. whoever looks at it for long enough reads both. ';
export const LETTERS = [...new Set(TEXT)];
export const [BATCH, LENGTH, DIM, HEADS] = [8, 32, 64, 4];
export const STEPS = 200;
export const RECIPE = { learningRate: { peak: 5e-3, minimum: 0, warmupSteps: 10, steps: STEPS }, clipNorm: 1 };

/** Attention to what came before, then two layers for each letter by itself; both are added to what was there. */
class Block extends Module {
  readonly norm1 = new LayerNorm(DIM);
  readonly query = new Linear(DIM, DIM);
  readonly key = new Linear(DIM, DIM);
  readonly value = new Linear(DIM, DIM);
  readonly out = new Linear(DIM, DIM);
  readonly norm2 = new LayerNorm(DIM);
  readonly up = new Linear(DIM, 4 * DIM);
  readonly down = new Linear(4 * DIM, DIM);

  forward(x: Tensor): Tensor {
    const normed = this.norm1.forward(x);
    const q = heads(this.query.forward(normed));
    const k = heads(this.key.forward(normed));
    const v = heads(this.value.forward(normed));
    const attended = transpose(scaledDotProductAttention(q, k, v, { causal: true }), 1, 2).reshape(x.shape);
    const y = add(x, this.out.forward(attended));
    return add(y, this.down.forward(gelu(this.up.forward(this.norm2.forward(y)))));
  }
}

/** [B, N, DIM] as [B, HEADS, N, DIM / HEADS]. */
function heads(x: Tensor): Tensor {
  return transpose(x.reshape([x.size / (LENGTH * DIM), LENGTH, HEADS, DIM / HEADS]), 1, 2);
}

/** A transformer of two blocks that tells which letter follows. */
export class Writer extends Module {
  readonly letters = new Embedding(LETTERS.length, DIM);
  readonly places = new Embedding(LENGTH, DIM);
  readonly blocks = new Sequential(new Block(), new Block());
  readonly norm = new LayerNorm(DIM);
  readonly head = new Linear(DIM, LETTERS.length);

  /** @returns logits of the letter after each: [B · N, letters] */
  forward(letters: Tensor<'u32'>): Tensor {
    const read = add(this.letters.forward(letters), this.places.weight);
    return this.head.forward(this.norm.forward(this.blocks.forward(read))).reshape([letters.size, LETTERS.length]);
  }
}
