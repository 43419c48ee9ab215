import type { Figure, FigureSection } from '../../report/figures';
import { shareInterval, type Classification, type CurvePoint } from './classification';

/** A classifier and what it came to; a reference is what the first is to be compared with. */
export interface ClassificationResult {
  readonly title: string;
  readonly reference: boolean;
  readonly result: Classification & { readonly curve?: readonly CurvePoint[] };
}

/** From nothing: small accuracies, of many classes, are to be told apart. */
const SPAN = [0, 0.1] as const;

/** Of fewer classes, every image's is among the five likeliest. */
const LEAST_FOR_FIVE = 6;

/** Both accuracies in words. */
export function accuracyWords({ top1, top5 }: Pick<Classification, 'top1' | 'top5'>, classes: number): string {
  return `top-1 ${formatAccuracy(top1)}${classes < LEAST_FOR_FIVE ? '' : `  top-5 ${formatAccuracy(top5)}`}`;
}

/** Classes that a page names one by one; of more, the hardest. */
const MOST_CLASSES = 30;
/** Confusions that are named, where there are too many classes for a matrix. */
const MOST_CONFUSIONS = 20;

/**
 * The figures of one or several classifiers of the same images: accuracy over epochs and at the end, then of the first by
 * class and by what is taken for what.
 *
 * @param caption what they depend on: model, images, budget, seed
 */
export function classificationSections(
  judged: readonly [ClassificationResult, ...ClassificationResult[]],
  classes: readonly string[],
  caption: string,
): FigureSection[] {
  const [first] = judged;
  const { count } = first.result;
  const images = count.toLocaleString('en');
  const plain = `${images} test images, whole. ${caption}`;
  const tested = `95 % intervals over images. ${plain}`;
  const hasFive = classes.length >= LEAST_FOR_FIVE;
  const accuracy: Figure[] = [
    ...curves(judged, classes.length, `Judged on ${images} test images after every epoch. ${caption}`),
    {
      kind: 'bars',
      title: 'Top-1 accuracy',
      caption: tested,
      value: { title: 'share of test images', span: SPAN },
      bars: [
        ...judged.map(({ title, reference, result: { top1 } }) => {
          const [low, high] = shareInterval(top1, count);
          return { title, value: top1, low, high, ...(reference ? { reference } : {}) };
        }),
        { title: 'chance', value: 1 / classes.length, reference: true },
      ],
    },
    {
      kind: 'table',
      title: 'Accuracy',
      caption: `${tested} Chance is ${formatAccuracy(1 / classes.length)}${hasFive ? ` and ${formatAccuracy(5 / classes.length)}` : ''}.`,
      columns: [
        { title: '' },
        { title: 'top-1', numeric: true },
        { title: 'interval', numeric: true },
        ...(hasFive ? [{ title: 'top-5', numeric: true }] : []),
      ],
      rows: judged.map(({ title, result: { top1, top5 } }) => [
        title,
        formatAccuracy(top1),
        shareInterval(top1, count).map(formatAccuracy).join(' – '),
        ...(hasFive ? [formatAccuracy(top5)] : []),
      ]),
    },
  ];
  return [
    { id: 'accuracy', title: 'Accuracy', figures: accuracy },
    {
      id: 'classes',
      title: `Class by class: ${first.title}`,
      figures: [classBars(first, classes, tested), confusions(first, classes, plain)],
    },
  ];
}

function curves(judged: readonly ClassificationResult[], classes: number, caption: string): Figure[] {
  const epochs = judged[0]?.result.curve?.map(({ epoch }) => epoch) ?? [];
  if (epochs.length < 2) return [];
  return [
    {
      kind: 'lines',
      title: 'Accuracy over training',
      caption,
      x: { title: 'epochs', values: epochs },
      y: { title: 'top-1 accuracy, share of test images', span: SPAN },
      lines: [
        ...judged.map(({ title, reference, result: { curve = [] } }) => ({
          title,
          values: epochs.map((_, at) => curve[at]?.top1 ?? null),
          ...(reference ? { reference } : {}),
        })),
        { title: 'chance', values: epochs.map(() => 1 / classes), reference: true },
      ],
    },
  ];
}

function classBars({ result }: ClassificationResult, classes: readonly string[], caption: string): Figure {
  const bars = classes.flatMap((title, label) => {
    const value = result.perClass[label];
    if (value === null || value === undefined) return [];
    const total = (result.confusion[label] ?? []).reduce((sum, calls) => sum + calls, 0);
    const [low, high] = shareInterval(value, total);
    return [{ title, value, low, high }];
  });
  const isMany = bars.length > MOST_CLASSES;
  return {
    kind: 'bars',
    title: isMany ? `Accuracy of the ${MOST_CLASSES} hardest of ${bars.length} classes` : 'Accuracy by class',
    caption: `Share of each class's images that are called it. ${caption}`,
    value: { title: "share of the class's test images", span: [0, 1] },
    bars: isMany ? bars.sort((a, b) => a.value - b.value).slice(0, MOST_CLASSES) : bars,
  };
}

function confusions(
  { result: { confusion } }: ClassificationResult,
  classes: readonly string[],
  caption: string,
): Figure {
  const shares = confusion.map((row) => {
    const total = row.reduce((sum, calls) => sum + calls, 0);
    return row.map((calls) => (total === 0 ? null : calls / total));
  });
  if (classes.length <= MOST_CLASSES) {
    return {
      kind: 'matrix',
      title: 'What is taken for what',
      caption: `Of each class's images (row), the share that is called each class (column). ${caption}`,
      rows: { title: 'class', labels: classes },
      columns: { title: 'called', labels: classes },
      value: { title: "share of the class's test images", span: [0, 1] },
      values: shares,
    };
  }
  const pairs = confusion.flatMap((row, label) =>
    row.map((calls, called) => ({ label, called, calls, share: shares[label]?.[called] ?? 0 })),
  );
  const wrong = pairs
    .filter(({ label, called, calls }) => label !== called && calls > 0)
    .sort((a, b) => b.calls - a.calls);
  return {
    kind: 'table',
    title: 'What is most often taken for what',
    caption,
    columns: [
      { title: 'class' },
      { title: 'called' },
      { title: 'images', numeric: true },
      { title: 'share of the class', numeric: true },
    ],
    rows: wrong
      .slice(0, MOST_CONFUSIONS)
      .map(({ label, called, calls, share }) => [
        classes[label] ?? '',
        classes[called] ?? '',
        String(calls),
        formatAccuracy(share),
      ]),
  };
}

export function formatAccuracy(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
