import { createRequire } from 'node:module';
import type * as Canvas from '@napi-rs/canvas';

/** The package @napi-rs/canvas. It is loaded when the first picture is made: help and wrong calls do without it. */
export function loadCanvas(): typeof Canvas {
  return createRequire(import.meta.url)('@napi-rs/canvas') as typeof Canvas; // its own types
}
