import source from '../../shaders/picture.wgsl';
import { EngineError } from './errors';
import type { GpuEngine } from './gpuEngine';
import type { DeviceBuffer } from './pool';
import type { Program } from './program';
import type { Value } from './storage';

/** What a browser can copy into a texture: `ImageBitmap`, `ImageData`, a canvas, an image, a video or a frame of one. */
export type PictureSource = GPUCopyExternalImageSource;

/** Channels, rows and columns of a tensor that is read as a picture, or drawn as one. */
export interface PictureSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/**
 * The size of a tensor as a picture.
 *
 * @param what names the tensor in messages
 * @throws EngineError `bad-shape` unless it is [C, H, W] of f32, or has ones before that, with C = 1, 3 or 4
 */
export function pictureSize(what: string, shape: readonly number[], dtype: string): PictureSize {
  const [channels = 0, height = 0, width = 0] = shape.slice(-3);
  const isOne = shape.length >= 3 && shape.slice(0, -3).every((extent) => extent === 1);
  if (isOne && dtype === 'f32' && [1, 3, 4].includes(channels)) return { channels, height, width };
  throw new EngineError(
    'bad-shape',
    `${what} is ${dtype} [${shape.join(', ')}], which is no picture.`,
    'A picture is f32 [C, H, W] with C = 1, 3 or 4.',
  );
}

/** Converts pictures to tensors and back on one device; pipelines are made when they are first needed. */
export class Pictures {
  readonly #module: GPUShaderModule;
  #toTensor: GPUComputePipeline | undefined;
  readonly #toPicture = new Map<GPUTextureFormat, GPURenderPipeline>();
  readonly #sizes = new Map<string, DeviceBuffer>();
  /** What pictures of the host are copied into, an input each. */
  readonly #copies = new Map<Value, GPUTexture>();

  readonly #engine: GpuEngine;

  constructor(engine: GpuEngine) {
    this.#engine = engine;
    this.#module = engine.device.createShaderModule({ label: 'picture', code: source });
  }

  /**
   * Lets an input be read from a texture of the app's before the next run.
   *
   * @returns does it; everything is checked before
   * @throws EngineError `bad-shape` where the sizes differ, `bad-program` where shaders may not read it
   */
  readTexture(program: Program, input: Value, size: PictureSize, texture: GPUTexture): () => void {
    assertSize(input.label, size, texture.width, texture.height);
    if (!(texture.usage & GPUTextureUsage.TEXTURE_BINDING) || texture.dimension !== '2d' || texture.sampleCount > 1) {
      const name = texture.label || 'without a label';
      throw new EngineError(
        'bad-program',
        `Input '${input.label}': shaders may not read the texture '${name}'.`,
        'Make it 2d with GPUTextureUsage.TEXTURE_BINDING, with one sample a texel.',
      );
    }
    return () => program.fill(input, (encoder, into) => this.#encodeRead(encoder, texture, size, into));
  }

  /**
   * Lets an input be what a picture of the host shows now.
   *
   * @returns does it; everything is checked before
   * @throws EngineError `bad-shape` where the sizes differ
   */
  readSource(program: Program, input: Value, size: PictureSize, picture: PictureSource): () => void {
    const { width, height } = sourceSize(picture);
    assertSize(input.label, size, width, height);
    return () => {
      const texture = this.#copyOf(input, width, height);
      this.#engine.guarded(`the picture for '${input.label}'`, () =>
        this.#engine.device.queue.copyExternalImageToTexture({ source: picture }, { texture }, [width, height]),
      );
      program.fill(input, (encoder, into) => this.#encodeRead(encoder, texture, size, into));
    };
  }

  #copyOf(input: Value, width: number, height: number): GPUTexture {
    let texture = this.#copies.get(input);
    if (!texture) {
      const { COPY_DST, RENDER_ATTACHMENT, TEXTURE_BINDING } = GPUTextureUsage;
      const usage = COPY_DST | RENDER_ATTACHMENT | TEXTURE_BINDING; // as copyExternalImageToTexture asks for
      texture = this.#engine.guarded(`the texture for '${input.label}'`, () =>
        this.#engine.pool.createPicture(width, height, usage, input.label),
      );
      this.#copies.set(input, texture);
    }
    return texture;
  }

  #encodeRead(encoder: GPUCommandEncoder, texture: GPUTexture, size: PictureSize, into: GPUBufferBinding): void {
    const { device } = this.#engine;
    this.#toTensor ??= device.createComputePipeline({
      label: 'pictureToTensor',
      layout: 'auto',
      compute: { module: this.#module, entryPoint: 'pictureToTensor' },
    });
    const bindGroup = device.createBindGroup({
      label: 'pictureToTensor',
      layout: this.#toTensor.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: this.#sizesOf(size, size.width, size.height) } },
        { binding: 1, resource: texture.createView({ dimension: '2d', mipLevelCount: 1, arrayLayerCount: 1 }) },
        { binding: 2, resource: into },
      ],
    });
    const pass = encoder.beginComputePass({ label: 'pictureToTensor' });
    pass.setPipeline(this.#toTensor);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(Math.ceil(size.width / 8), Math.ceil(size.height / 8));
    pass.end();
  }

  /** Writes into commands a pass that draws a tensor over all of a texture, each element as large as it takes. */
  encodeDraw(encoder: GPUCommandEncoder, tensor: GPUBufferBinding, size: PictureSize, target: GPUTexture): void {
    if (!(target.usage & GPUTextureUsage.RENDER_ATTACHMENT)) {
      throw new EngineError(
        'bad-program',
        `The texture '${target.label || 'without a label'}' can't be drawn into.`,
        'Make it with GPUTextureUsage.RENDER_ATTACHMENT.',
      );
    }
    const { device } = this.#engine;
    const pipeline = this.#drawingInto(target.format);
    const bindGroup = device.createBindGroup({
      label: 'tensorToPicture',
      layout: pipeline.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: this.#sizesOf(size, target.width, target.height) } },
        { binding: 3, resource: tensor },
      ],
    });
    const view = target.createView({ dimension: '2d', mipLevelCount: 1, arrayLayerCount: 1 });
    const pass = encoder.beginRenderPass({
      label: 'tensorToPicture',
      colorAttachments: [{ view, loadOp: 'clear', storeOp: 'store' }],
    });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.draw(3);
    pass.end();
  }

  #drawingInto(format: GPUTextureFormat): GPURenderPipeline {
    let pipeline = this.#toPicture.get(format);
    if (!pipeline) {
      pipeline = this.#engine.device.createRenderPipeline({
        label: 'tensorToPicture',
        layout: 'auto',
        vertex: { module: this.#module, entryPoint: 'wholeTarget' },
        fragment: { module: this.#module, entryPoint: 'tensorToPicture', targets: [{ format }] },
      });
      this.#toPicture.set(format, pipeline);
    }
    return pipeline;
  }

  #sizesOf({ channels, height, width }: PictureSize, targetWidth: number, targetHeight: number): GPUBuffer {
    const values = Uint32Array.of(channels, height, width, targetHeight, targetWidth);
    let buffer = this.#sizes.get(values.join());
    if (!buffer) {
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      buffer = this.#engine.pool.allocate(values.byteLength, usage, 'picture sizes');
      this.#engine.device.queue.writeBuffer(buffer.gpu, 0, values);
      this.#sizes.set(values.join(), buffer);
    }
    return buffer.gpu;
  }

  /** Lets go of its memory. */
  dispose(): void {
    for (const texture of this.#copies.values()) this.#engine.pool.releasePicture(texture);
    for (const buffer of this.#sizes.values()) this.#engine.pool.release(buffer);
    this.#copies.clear();
    this.#sizes.clear();
  }
}

/** The size of what it shows: of media and images, its own, and not that of the page's element. */
function sourceSize(picture: PictureSource): { readonly width: number; readonly height: number } {
  if ('displayWidth' in picture) return { width: picture.displayWidth, height: picture.displayHeight };
  if ('videoWidth' in picture) return { width: picture.videoWidth, height: picture.videoHeight };
  if ('naturalWidth' in picture) return { width: picture.naturalWidth, height: picture.naturalHeight };
  return { width: picture.width, height: picture.height };
}

function assertSize(label: string, size: PictureSize, width: number, height: number): void {
  if (size.width === width && size.height === height) return;
  throw new EngineError(
    'bad-shape',
    `Input '${label}' is ${size.width}×${size.height}, the picture ${width}×${height}.`,
    "Declare the input of the picture's size, and resample it by an operation; or give a picture of that size.",
  );
}
