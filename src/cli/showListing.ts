/** Between two words of how many files were found so far, in milliseconds. */
const LISTING_EVERY = 2000;

/** Tells from time to time how many files were found so far. */
export function showListing(note: (text: string) => void): (files: number) => void {
  let last = performance.now();
  return (files) => {
    if (performance.now() - last < LISTING_EVERY) return;
    last = performance.now();
    note(`${files.toLocaleString('en')} files found so far`);
  };
}
