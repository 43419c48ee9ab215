/** `palimpsest/node`: devices and files in Node.js. Everything else may change without a word. */
export { openDevice, openEngine, quietWait, type DawnOptions } from './dawn';
export { adapterNames } from './adapter';
export { loadImageSets, type ImageSetOptions } from './loadImageSet';
export { readTensors } from './readTensors';
export { UserError } from '../common/userError';
