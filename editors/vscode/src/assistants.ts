/** The index for other assistants: a tool and a chat participant, where this VS Code has a public interface for them. */

import * as vscode from "vscode";
import { toRange } from "./places";
import { type Cited, type Hit, Method, type Scope } from "./protocol";
import type { Server } from "./server";
import { spot } from "./spots";

interface SearchInput {
  readonly query: string;
  readonly limit?: number;
  readonly languages?: readonly string[];
  readonly globs?: readonly string[];
  readonly caches?: readonly string[];
}

export function offerToAssistants(server: Server): vscode.Disposable[] {
  // The types say that both are there; editors that are made from VS Code may lack either.
  const { lm, chat } = vscode as Partial<Pick<typeof vscode, "lm" | "chat">>;
  const offered: vscode.Disposable[] = [];
  if (typeof (lm as Partial<typeof vscode.lm> | undefined)?.registerTool === "function")
    offered.push(vscode.lm.registerTool("memcache_search", searchTool(server)));
  if (typeof (chat as Partial<typeof vscode.chat> | undefined)?.createChatParticipant === "function")
    offered.push(vscode.chat.createChatParticipant("memcache.chat", answer(server)));
  return offered;
}

function searchTool(server: Server): vscode.LanguageModelTool<SearchInput> {
  return {
    prepareInvocation: ({ input }) => ({ invocationMessage: `Searching for “${input.query}”` }),
    invoke: async ({ input }, token) => {
      const { query, limit = 10, languages, globs, caches } = input;
      const scope: Scope = { ...(languages && { languages }), ...(globs && { globs }), ...(caches && { caches }) };
      const { hits, notes = [] } = await server.request(Method.search, { query, limit, scope }, { token });
      const text = [...notes, ...(hits.length === 0 ? ["Nothing was found."] : hits.map(told))].join("\n\n");
      return new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(text)]);
    },
  };
}

function told({ location, path, symbol, kind, language, snippet }: Hit): string {
  const what = symbol === "" ? kind : `${kind} ${symbol}`;
  return `${path}${spot(location)} (${what})\n\`\`\`${language}\n${snippet}\n\`\`\``;
}

function answer(server: Server): vscode.ChatRequestHandler {
  return async ({ prompt }, _context, stream, token) => {
    const cited: Cited[] = [];
    const { message } = await server.request(
      Method.ask,
      { question: prompt },
      {
        token,
        partial: (partial) => {
          if (partial.type === "sources") for (const { location } of partial.items) stream.reference(place(location));
          else if (partial.type === "stage") stream.progress(`${partial.stage} ${partial.percent} %`);
          else if (partial.type === "delta") stream.markdown(partial.text);
          else if (partial.type === "citation") cited.push(partial);
        },
      },
    );
    if (message !== undefined) stream.markdown(`\n\n${message}`);
    if (cited.length > 0) stream.markdown("\n\n");
    for (const { n, location } of cited) stream.anchor(place(location), `[${n}]`);
  };
}

function place({ uri, range, extracted }: Cited["location"]): vscode.Location | vscode.Uri {
  return extracted === true ? vscode.Uri.parse(uri) : new vscode.Location(vscode.Uri.parse(uri), toRange(range));
}
