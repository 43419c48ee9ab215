import { expect, it } from 'vitest';
import { idleHead } from './probe';

const ended = (loss: number): Parameters<typeof idleHead>[0] => ({ curve: [{ epoch: 1, loss, top1: 0.1, top5: 0.5 }] });

it('says where the head of a probe has hardly moved', () => {
  expect(idleHead(ended(2.3), 10)).toBe(
    'the head has hardly moved: its loss is 2.3000, and guessing costs 2.3026. That says nothing of the encoder. Give a larger --blr (1 to 10) or more --epochs',
  );
  expect(idleHead(ended(2.1), 10)).toBeUndefined();
  expect(idleHead(ended(3), 10)).toBeUndefined(); // it moved, if to nothing good
  expect(idleHead(ended(0), 1)).toBeUndefined();
});
