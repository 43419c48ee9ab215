import { UserError } from '../../common/userError';

/** An image file that could not be decoded. */
export interface BrokenFile {
  readonly path: string;
  /** Without a full stop. */
  readonly why: string;
}

/** The files of a set that could not be decoded and have another image in their place, as far as they were met. */
export class BrokenFiles {
  private readonly found = new Map<string, BrokenFile>();
  /** Told of each once. */
  listener: ((file: BrokenFile) => void) | undefined;

  add(file: BrokenFile): void {
    if (this.found.has(file.path)) return;
    this.found.set(file.path, file);
    this.listener?.(file);
  }

  get all(): readonly BrokenFile[] {
    return [...this.found.values()];
  }
}

/** An image file that cannot be decoded. */
export class BrokenImageError extends UserError {
  constructor(
    readonly path: string,
    /** Without a full stop. */
    readonly why: string,
  ) {
    super(`${path} cannot be decoded: ${why}.`);
  }
}
