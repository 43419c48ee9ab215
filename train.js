#!/usr/bin/env node
// The command line's door: node train.js --help
import { run } from './tools/run.js';

await run('train', process.argv.slice(2));
