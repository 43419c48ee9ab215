import { thinCurves, type Curves, type ScorePoint } from '../../../report/metrics';
import type { Phase } from '../../../imae/config/config';
import { PHASE_TITLES } from '../../../imae/config/describe';
import { choiceField } from '../../components/choice';
import { phaseCharts, scoreCharts, type Charts } from '../../components/curves';
import { element } from '../../components/dom';
import { aboutScore, verdict } from '../../components/verdict';
import type { PageRun } from './pageRun';

/** Points of a curve: a chart here is hardly wider in pixels. */
const MOST_POINTS = 500;

/** What a run has measured: the verdict of the unmixing score, and the curves of each phase, as they grow. */
export class RunCharts {
  /** What the unmixing score says. */
  readonly score: HTMLElement;
  readonly curves: HTMLElement;
  private readonly verdictPlace = element('div', {});
  private readonly choices = element('div', {});
  private readonly curvesPlace = element('div', {});
  private readonly charts = new Map<Phase, Charts<Curves>>();
  private scores: Charts<readonly ScorePoint[]> | undefined;
  private shownScore = '';
  private offered = '';
  private chosen: Phase | undefined;
  private followed: Phase | undefined;

  constructor(private readonly run: PageRun) {
    this.score = element(
      'section',
      { 'aria-labelledby': 'train-score', hidden: true },
      element('h2', { id: 'train-score' }, 'Does it take mixtures apart?'),
      this.verdictPlace,
      aboutScore(),
    );
    this.curves = element(
      'section',
      { 'aria-labelledby': 'train-curves', hidden: true },
      element('div', { class: 'controls' }, element('h2', { id: 'train-curves' }, 'Curves'), this.choices),
      element('p', { class: 'note' }, 'Drag across a chart to enlarge a part of it; a double click shows all again.'),
      this.curvesPlace,
    );
  }

  update(): void {
    this.showCurves();
    this.showScores();
  }

  private showCurves(): void {
    const begun = this.run.phases.map(({ id }) => id).filter((id) => this.run.log.phase(id).curves.steps.length > 0);
    const newest = begun.at(-1);
    if (newest === undefined) return;
    this.curves.hidden = false;
    if (newest !== this.followed) {
      // A phase that begins comes into sight, until somebody chooses.
      this.followed = newest;
      this.chosen = newest;
    }
    this.offer(begun);
    const phase = this.chosen ?? newest;
    const curves = thinCurves(this.run.log.phase(phase).curves, MOST_POINTS);
    const known = this.charts.get(phase);
    if (known) {
      known.update(curves);
    } else {
      const made = phaseCharts({ id: phase, title: PHASE_TITLES[phase], curves }, this.run.adapter?.software ?? false);
      this.charts.set(phase, made);
      this.curvesPlace.append(made.element);
    }
    for (const [id, { element: shown }] of this.charts) shown.hidden = id !== phase;
  }

  private offer(begun: readonly Phase[]): void {
    const key = [...begun, this.chosen].join();
    if (key === this.offered) return;
    const isNew = this.offered.split(',').length !== begun.length + 1;
    this.offered = key;
    if (!isNew || begun.length < 2) return;
    const options = begun.map((id) => ({ value: id, title: PHASE_TITLES[id] }));
    const onChoose = (phase: Phase): void => {
      this.chosen = phase;
      this.showCurves();
    };
    this.choices.replaceChildren(
      choiceField({ label: 'Phase', options, chosen: this.chosen ?? (begun[0] as Phase), onChoose }),
    );
  }

  private showScores(): void {
    const { scores } = this.run.log.phase('imae');
    const last = scores.at(-1);
    if (!last) return;
    this.score.hidden = false;
    const key = `${scores.length} ${last.step}`;
    if (key === this.shownScore) return;
    this.shownScore = key;
    this.verdictPlace.replaceChildren(verdict(last));
    if (this.scores) {
      this.scores.update(scores);
    } else if (scores.length > 1) {
      this.scores = scoreCharts(scores);
      this.verdictPlace.after(this.scores.element);
    }
  }
}
