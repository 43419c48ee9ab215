import { expose, transfer } from 'comlink';
import { drawPanels, layoutPanels, type ImageGrid } from '../../report/imageGrid';
import { openBrowserEngine } from '../device';
import { openBrowserDecoders } from '../training/decoders';
import type { TrainingEvent } from '../training/trainingSession';
import { Training } from '../training/service';

/* The worker that trains. */

/** A canvas must be there before its size is known. */
const ANY_SIZE = 1;

async function drawPicture(sheet: ImageGrid): Promise<Uint8Array> {
  const layout = layoutPanels(context(ANY_SIZE, ANY_SIZE), sheet);
  const drawing = context(layout.width, layout.height);
  drawPanels(drawing, layout);
  const png = await drawing.canvas.convertToBlob({ type: 'image/png' });
  return new Uint8Array(await png.arrayBuffer());
}

function context(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const made = new OffscreenCanvas(width, height).getContext('2d');
  if (!made) throw new Error('This browser draws nothing in workers.');
  return made;
}

/** Bytes move to the page instead of being copied. */
function transferBuffers(event: TrainingEvent): TrainingEvent {
  switch (event.kind) {
    case 'checkpoint':
      return transfer(event, [event.model.buffer, event.state.buffer] as ArrayBuffer[]);
    case 'picture':
      return transfer(event, [event.png.buffer as ArrayBuffer]);
    default:
      return event;
  }
}

expose(
  new Training({ openEngine: openBrowserEngine, drawPicture, openDecoders: openBrowserDecoders, transferBuffers }),
);
