/** What is wrong with images, without the name of the command's option for them. */
export function withoutFlag(message: string): string {
  return message.replace(/^--data: /, '');
}
