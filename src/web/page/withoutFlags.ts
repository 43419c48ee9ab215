/** A text without the command line's options that it names, which a page has not. */
export function withoutFlags(text: string): string {
  return text
    .replace(/^--data: /, '')
    .replace(/,? or --[\w-]+(?=\.)/g, '')
    .replace(/ \(--[\w-]+\)/g, '');
}
