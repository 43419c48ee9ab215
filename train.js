#!/usr/bin/env node
// The command line's door: node train.js --help, or npx palimpsest --help. The doctor has a program of its own.
import { run } from './tools/run.js';

const [first, ...rest] = process.argv.slice(2);
if (first === 'doctor') await run('doctor', rest);
else await run('train', process.argv.slice(2));
