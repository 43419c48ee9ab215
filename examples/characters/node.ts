// A small transformer learns a text letter by letter, and then writes: causal attention, an embedding, layer norms.
// To run it: npm run examples characters
import { AdamW, crossEntropy, u32 } from 'palimpsest';
import { openEngine } from 'palimpsest/node';
import { BATCH, LENGTH, LETTERS, RECIPE, STEPS, TEXT, Writer } from './model';

const engine = await openEngine();
const writer = engine.init(new Writer(), { seed: 0 });
const adam = new AdamW(writer, RECIPE);
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
