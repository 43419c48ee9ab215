import { drawRoofline, PICTURE } from '../../bench/rooflinePicture';
import type { Ceilings } from '../../bench/roofline';
import type { SavedBench } from '../../bench/resultFile';
import { loadCanvas } from '../node/canvas';
import { createPicture } from '../node/picture';

/** The roofline as a file, PNG or SVG by its name's ending. */
export async function rooflineFile(path: string, saved: SavedBench, ceilings: Ceilings): Promise<Uint8Array> {
  const { width, height } = PICTURE;
  const png = createPicture(width, height); // registers the fonts
  if (!/\.svg$/i.test(path)) {
    drawRoofline(png.getContext('2d'), saved, ceilings);
    return png.encode('png');
  }
  const { createCanvas, SvgExportFlag } = loadCanvas();
  const svg = createCanvas(width, height, SvgExportFlag.ConvertTextToPaths);
  drawRoofline(svg.getContext('2d'), saved, ceilings);
  return svg.getContent();
}
