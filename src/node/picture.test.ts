import { GlobalFonts, loadImage } from '@napi-rs/canvas';
import { describe, expect, it } from 'vitest';
import { SHEET_FONT } from '../report/imageGrid';
import { createPicture, panelsPng } from './picture';

describe('createPicture', () => {
  it('brings the font in regular and bold, whatever the machine has', () => {
    const context = createPicture(10, 10).getContext('2d');
    expect(GlobalFonts.families.some(({ family }) => family === SHEET_FONT)).toBe(true);
    const width = (font: string, text: string): number => {
      context.font = font;
      return context.measureText(text).width;
    };
    const regular = width(`20px "${SHEET_FONT}"`, 'α = 0.35');
    // DejaVu Sans: units of 1/2048 em, from the font's own table (α, space, =, 0, ., 3, 5).
    expect(regular).toBeCloseTo((20 * (1350 + 651 + 1716 + 651 + 1303 + 651 + 1303 + 1303)) / 2048, 0);
    expect(width(`bold 20px "${SHEET_FONT}"`, 'α = 0.35')).toBeGreaterThan(regular * 1.05);
  });
});

describe('panelsPng', () => {
  it('encodes the images, pixel for pixel, and dark text on a light ground', async () => {
    const pixel = [255, 0, 0, 255];
    const red = { width: 2, height: 2, data: Uint8ClampedArray.from([pixel, pixel, pixel, pixel].flat()) };
    const png = await panelsPng({
      title: 'Title',
      caption: 'caption',
      columns: ['one', 'two'],
      rows: [{ label: 'row', images: [red, red] }],
      scale: 8,
    });
    const image = await loadImage(png);
    const context = createPicture(image.width, image.height).getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    let reds = 0;
    let dark = 0;
    for (let byte = 0; byte < data.length; byte += 4) {
      const [r = 0, g = 0, b = 0] = data.subarray(byte, byte + 3);
      if (r === 255 && g === 0 && b === 0) reds++;
      if (Math.max(r, g, b) < 80) dark++;
    }
    expect(reds).toBe(2 * 16 * 16);
    expect(dark).toBeGreaterThan(100);
    expect(data[0]).toBeGreaterThan(240);
  });
});
