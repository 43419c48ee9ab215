/*
 * What a draw is for. Each purpose has a stream of its own, so a new kind of draw never shifts another's. Numbers of their own, not
 * one object, so that a bundle has those that it draws for.
 */

export const init = 1;
export const order = 2;
export const partner = 3;
export const alpha = 4;
export const crop = 5;
export const mask = 6;
export const demoSet = 7;
export const evaluation = 8;
export const probe = 9;
export const holdOut = 10;
export const subset = 11;
export const mixing = 12;
export const erasing = 13;
export const dropPath = 14;
export const noise = 15;
export const bootstrap = 16;
export const randAugment = 17;
export const baseline = 18;
export const dropout = 19;
