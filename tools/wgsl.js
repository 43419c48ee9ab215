// npm run wgsl -- KERNEL PARAM=VALUE …: prints the WGSL that a kernel becomes, without a device and without a build, so that
// what was just written can be looked at. Without arguments it lists all kernels with their parameters.
import { join } from 'node:path';
import { build } from 'esbuild';
import { importGlob } from './importGlob.js';

const { outputFiles } = await build({
  entryPoints: [join(import.meta.dirname, 'printKernel.ts')],
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node',
  loader: { '.wgsl': 'text' },
  plugins: [importGlob],
});
const { printKernel } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
);
const { text, code } = printKernel(process.argv.slice(2));
// Nobody reads on (`| head`).
process.stdout.on('error', () => undefined);
if (code === 0) console.log(text);
else console.error(text);
process.exitCode = code;
