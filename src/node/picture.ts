import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Canvas } from '@napi-rs/canvas';
import { drawPanels, layoutPanels, SHEET_FONT, type ImageGrid } from '../report/imageGrid';
import { UserError } from '../common/userError';
import { loadCanvas } from './canvas';

const FONT_FILES = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'];

/** Registers the fonts that come with the project, so that pictures look the same whatever a machine has installed. */
function registerFonts(): void {
  const { GlobalFonts } = loadCanvas();
  if (GlobalFonts.has(SHEET_FONT)) return;
  for (const file of FONT_FILES) {
    const path = fontPath(file);
    if (!GlobalFonts.registerFromPath(path, SHEET_FONT)) {
      throw new UserError(`The font ${path} cannot be read. Run npm install again.`);
    }
  }
}

/** Beside the program, where the package has them; else in the package that they come from. */
function fontPath(file: string): string {
  const beside = join(import.meta.dirname, file);
  if (existsSync(beside)) return beside;
  try {
    return createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/${file}`);
  } catch {
    throw new UserError(`The font ${file} of the package dejavu-fonts-ttf is missing. Run npm install.`);
  }
}

/** An empty canvas on which `SHEET_FONT` (DejaVu Sans), regular and bold, is available. */
export function createPicture(width: number, height: number): Canvas {
  registerFonts();
  return loadCanvas().createCanvas(width, height);
}

/** A sheet of panels as a PNG file. */
export function panelsPng(sheet: ImageGrid): Promise<Uint8Array> {
  const layout = layoutPanels(createPicture(1, 1).getContext('2d'), sheet);
  const canvas = createPicture(layout.width, layout.height);
  drawPanels(canvas.getContext('2d'), layout);
  return canvas.encode('png');
}
