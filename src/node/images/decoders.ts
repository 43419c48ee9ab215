import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { BrokenImageError } from '../../data/sources/brokenFiles';
import { Semaphore } from '../../data/sources/semaphore';
import { UserError } from '../../common/userError';
import { decodeImage } from './decode';

/** Decodes image files, some at once. */
export interface Decoders {
  /**
   * A file in the stored form: see `decodeImage`.
   *
   * @param file its path, or its bytes
   * @throws BrokenImageError
   */
  decode(file: string | Uint8Array, side: number, name?: string): Promise<Uint8Array>;
}

/** Threads that this process decodes on: Node.js reads the variable as it starts, and cannot have more later. */
const THREADS_HERE = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);

/** @param workers files that are decoded at once */
export function openDecoders(workers: number | 'auto'): Decoders {
  const count = workers === 'auto' ? availableParallelism() : workers;
  const turnstile = new Semaphore(count);
  const { decode } = count <= THREADS_HERE ? { decode: decodeImage } : new DecoderProcess(count);
  return { decode: (file, side, name) => turnstile.pass(() => decode(file, side, name)) };
}

/** What the process is asked. */
export interface DecodeQuestion {
  readonly id: number;
  readonly file: string | Uint8Array;
  readonly side: number;
}

export type DecodeAnswer = { readonly id: number } & ({ readonly image: Uint8Array } | { readonly broken: string });

interface Waiting {
  readonly name: string;
  readonly resolve: (image: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** A process beside this one, with as many threads as are wanted. It is started with the first file, and ends with this one. */
class DecoderProcess {
  private child: ChildProcess | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private id = 0;

  constructor(private readonly threads: number) {}

  readonly decode = (file: string | Uint8Array, side: number, name = String(file)): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      this.child ??= this.start();
      const question: DecodeQuestion = { id: ++this.id, file, side };
      this.waiting.set(question.id, { name, resolve, reject });
      this.child.channel?.ref();
      this.child.send(question);
    });

  private start(): ChildProcess {
    const child = fork(programPath(), {
      serialization: 'advanced',
      execArgv: [],
      env: { ...process.env, UV_THREADPOOL_SIZE: String(this.threads) },
    });
    child.unref();
    child.on('message', (answer: DecodeAnswer) => {
      const asked = this.waiting.get(answer.id);
      this.waiting.delete(answer.id);
      if (this.waiting.size === 0) child.channel?.unref(); // nothing to stay for
      if (!asked) return;
      if ('image' in answer) asked.resolve(answer.image);
      else asked.reject(new BrokenImageError(asked.name, answer.broken));
    });
    const ended = (why: string): void => {
      this.child = undefined;
      const names = [...this.waiting.values()].map(({ name }) => name);
      const error = new UserError(
        `The process that decodes images ended (${why}) at one of ${names.join(', ')}. Give --workers ${THREADS_HERE} to do without it.`,
      );
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    };
    child.on('error', ({ message }) => ended(message));
    child.on('exit', (code, signal) => ended(signal ?? `code ${code ?? 0}`));
    return child;
  }
}

/** The bundled program: beside this one, or in dist/ where this runs from src/node/images. */
function programPath(): string {
  const beside = join(import.meta.dirname, 'decoder.js');
  return existsSync(beside) ? beside : join(import.meta.dirname, '..', '..', '..', 'dist', 'decoder.js');
}

/** What the process does. */
export function answerQuestions(): void {
  const send = (answer: DecodeAnswer): void => void process.send?.(answer);
  process.on('SIGINT', () => undefined); // a terminal tells it to both; the other one ends this
  process.on('disconnect', () => process.exit());
  process.on('message', ({ id, file, side }: DecodeQuestion) => {
    decodeImage(file, side).then(
      (image) => send({ id, image }),
      (error: unknown) => send({ id, broken: error instanceof BrokenImageError ? error.why : String(error) }),
    );
  });
}
