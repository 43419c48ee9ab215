/* Stands for the package webgpu where no test may open a device. */

export const globals = {};

export function create(): never {
  throw new Error(
    "This test opens a device: tag it 'device', or let its file name what opens one (tools/deviceless.ts).",
  );
}
