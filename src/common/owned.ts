/** What has something to give back at the end. */
export interface Disposable {
  dispose(): void;
}

/** Things that are given back together, the last one first. */
export class Owned implements Disposable {
  private readonly resources: Disposable[] = [];

  /** Takes something on, and returns it. */
  own<T extends Disposable>(resource: T): T {
    this.resources.push(resource);
    return resource;
  }

  dispose(): void {
    for (const resource of this.resources.splice(0).reverse()) resource.dispose();
  }
}
