/** Values of an image's tokens, one image after the other → their mean a image. */
export function meansOfImages(values: Float64Array, images: number): Float64Array {
  const each = values.length / images;
  return Float64Array.from({ length: images }, (_, image) => {
    let sum = 0;
    for (let i = image * each; i < (image + 1) * each; i++) sum += values[i] as number;
    return sum / each;
  });
}
