// A small transformer learns a text letter by letter, and then writes: causal attention, an embedding, layer norms.
// To run it: npm run examples characters
import { add, AdamW, crossEntropy, Embedding, gelu, LayerNorm, Linear, Module } from 'palimpsest';
import { scaledDotProductAttention, Sequential, transpose, u32, type Tensor } from 'palimpsest';
import { openEngine } from 'palimpsest/node';

const TEXT =
  'a palimpsest is a page that was written on twice. its first writing was scraped away, and yet it shines through ' +
  'the second. whoever looks at it for long enough reads both. ';
const LETTERS = [...new Set(TEXT)];
const [BATCH, LENGTH, DIM, HEADS] = [8, 32, 64, 4];
const STEPS = 200;

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

class Writer extends Module {
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

const engine = await openEngine();
const writer = engine.init(new Writer(), { seed: 0 });
const adam = new AdamW(writer, {
  learningRate: { peak: 5e-3, minimum: 0, warmupSteps: 10, steps: STEPS },
  clipNorm: 1,
});
const step = await engine.compile({ letters: u32(BATCH, LENGTH), next: u32(BATCH * LENGTH) }, ({ letters, next }) => {
  const loss = crossEntropy(writer.forward(letters), next);
  adam.minimize(loss);
  return { loss };
});

const codes = Array.from(TEXT, (letter) => LETTERS.indexOf(letter));
for (let i = 0; i < STEPS; i++) {
  const starts = Array.from({ length: BATCH }, (_, b) => ((i * BATCH + b) * 37) % (codes.length - LENGTH)); // all in turn
  const letters = Uint32Array.from(starts.flatMap((start) => codes.slice(start, start + LENGTH)));
  const next = Uint32Array.from(starts.flatMap((start) => codes.slice(start + 1, start + 1 + LENGTH)));
  await step.run({ letters, next });
  if (i % 25 === 0 || i === STEPS - 1) console.log(`step ${i}: loss ${(await step.outputs.loss.item()).toFixed(3)}`);
}

const reading = { letters: u32(1, LENGTH) };
const use = await engine.compile(reading, ({ letters }) => ({ logits: writer.forward(letters) }), { training: false });
const written = codes.slice(0, 12);
while (written.length < 80) {
  const seen = written.slice(-LENGTH);
  const letters = new Uint32Array(LENGTH);
  letters.set(seen); // what follows is not seen: attention is causal
  await use.run({ letters });
  const row = (await use.outputs.logits.data())
    .subarray((seen.length - 1) * LETTERS.length)
    .subarray(0, LETTERS.length);
  written.push(row.indexOf(Math.max(...row)));
}
console.log(`written: ${written.map((code) => LETTERS[code]).join('')}`);
engine.dispose();
