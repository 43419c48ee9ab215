/** Asks one question at a time. Of those that come meanwhile only the latest is asked; the others would be out of date. */
export class LatestOnly<Question, Answer> {
  private waiting: { readonly question: Question } | undefined;
  private busy = false;

  constructor(
    private readonly ask: (question: Question) => Promise<Answer>,
    private readonly heard: {
      /** Called with every answer. */
      readonly answer: (answer: Answer, question: Question) => void;
      readonly failure: (error: unknown, question: Question) => void;
    },
  ) {}

  put(question: Question): void {
    this.waiting = { question };
    if (!this.busy) void this.work();
  }

  private async work(): Promise<void> {
    this.busy = true;
    for (let next = this.take(); next; next = this.take()) {
      const { question } = next;
      try {
        this.heard.answer(await this.ask(question), question);
      } catch (error) {
        this.heard.failure(error, question);
      }
    }
    this.busy = false;
  }

  private take(): { readonly question: Question } | undefined {
    const next = this.waiting;
    this.waiting = undefined;
    return next;
  }
}
