/** An element that must be there. @throws Error where it is not: a defect */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const element = list[index];
  if (element === undefined) throw new Error(`There is no element ${index}: the list has ${list.length}.`);
  return element;
}
