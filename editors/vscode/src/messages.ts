/** What the extension and its panel say to each other. Must not import vscode. */

import type { AskPartial, Cited, Hit } from "./protocol";
import type { Turn } from "./turn";

/** To the panel. */
export type ToPanel =
  | { readonly type: "thread"; readonly title: string; readonly turns: readonly Turn[] }
  | { readonly type: "turn"; readonly turn: Turn }
  | { readonly type: "partials"; readonly key: string; readonly items: readonly AskPartial[] }
  | { readonly type: "places"; readonly key: string; readonly citations: Cited[]; readonly sources: readonly Hit[] }
  | { readonly type: "history"; readonly questions: readonly string[] }
  | { readonly type: "about"; readonly about: string | null }
  | { readonly type: "scope"; readonly label: string }
  | { readonly type: "focus" }
  | { readonly type: "peeked"; readonly key: string; readonly n: number; readonly at?: number; readonly peek: Peek | null };

/** To the extension. */
export type FromPanel =
  | { readonly type: "ready" }
  | { readonly type: "ask"; readonly question: string }
  | { readonly type: "stop" }
  | { readonly type: "again"; readonly key: string }
  | { readonly type: "copy"; readonly key: string }
  | ({ readonly type: "open"; readonly beside: boolean } & Mark)
  | ({ readonly type: "peek" } & Mark)
  | { readonly type: "forgetAbout" }
  | { readonly type: "chooseScope" }
  | { readonly type: "newThread" };

/** A mark of an answer, or the line of a source. */
export interface Mark {
  readonly key: string;
  readonly n: number;
  /** Where the mark stands in the answer. */
  readonly at?: number;
  readonly source: boolean;
}

/** Lines as they are now, or the passage of a file that has none. */
export interface Peek {
  readonly place: string;
  readonly text: string;
  readonly language: string;
  readonly status: Cited["status"];
}
