/** What a finding is: all is well; it works, but; it is not there; it is there and does not work. */
export type Mark = 'ok' | 'warning' | 'missing' | 'broken';

export interface Finding {
  readonly mark: Mark;
  readonly text: string;
  readonly details?: readonly string[];
}

/** What mends a finding. */
export interface Fix {
  /** What it brings, a sentence. */
  readonly title: string;
  /** To be copied as they are. */
  readonly commands: readonly string[];
}

export interface DoctorSection {
  readonly title: string;
  readonly findings: readonly Finding[];
}

export interface Report {
  readonly sections: readonly DoctorSection[];
  readonly verdict: Finding;
  readonly fixes: readonly Fix[];
  /** Whether anything here can train. */
  readonly usable: boolean;
}

/** Findings, and what mends them. */
export interface DoctorFinding {
  readonly findings: readonly Finding[];
  readonly fixes: readonly Fix[];
}
