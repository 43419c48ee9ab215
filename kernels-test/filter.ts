/** Whether a test or bench is one of those that a filter leaves: it has the text in its kernel's name or its own. */
export function isChosen(filter: string, kernel: string, name: string): boolean {
  return `${kernel} ${name}`.toLowerCase().includes(filter.trim().toLowerCase());
}
