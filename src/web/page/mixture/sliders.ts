import { hiddenCounts } from '../../../imae/mask/complementaryMasks';
import { slider, type Slider } from '../../components/slider';

/** Weights of the first image, from none to all. */
export function alphaSlider(step: number, onInput: (alpha: number) => void): Slider {
  return slider({
    label: 'α',
    name: 'α, the weight of image 1',
    least: 0,
    most: 1,
    step,
    text: (value) => value.toFixed(2),
    fullText: (value) => `${formatPercent(value)} image 1, ${formatPercent(1 - value)} image 2`,
    onInput,
  });
}

/** How many patches are hidden: as many as a model can do with. */
export class MaskSlider {
  private patches = 1;
  private index = 0;
  private readonly slider: Slider;

  constructor(onInput: () => void) {
    this.slider = slider({
      label: 'mask ratio',
      name: 'Mask ratio',
      least: 0,
      most: 1,
      step: 1,
      text: (index) => formatPercent(this.hiddenAt(index) / this.patches),
      fullText: (index) => `${this.hiddenAt(index)} of ${this.patches} patches hidden`,
      onInput: (index) => {
        this.index = index;
        onInput();
      },
    });
  }

  get element(): HTMLElement {
    return this.slider.element;
  }

  /** How many patches the model sees. */
  get keep(): number {
    return this.patches - this.hiddenAt(this.index);
  }

  /** Fits it to images of so many patches, and sets it as near to a ratio as can be. */
  fit(patches: number, ratio: number): void {
    this.patches = patches;
    const counts = hiddenCounts(patches);
    const distance = (hidden = 0): number => Math.abs(hidden / patches - ratio);
    this.index = counts.reduce((best, hidden, index) => (distance(hidden) < distance(counts[best]) ? index : best), 0);
    this.slider.setMost(counts.length - 1);
    this.slider.set(this.index);
  }

  private hiddenAt(index: number): number {
    return hiddenCounts(this.patches)[index] ?? 1;
  }
}

export function formatPercent(part: number): string {
  return `${Math.round(100 * part)} %`;
}
