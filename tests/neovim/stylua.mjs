// Format Lua with StyLua's library: `node stylua.mjs PACKAGE SETTINGS FILE…` prints the names of those that differ, or,
// with WRITE=1, writes them.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, settings, ...files] = process.argv.slice(2);
const stylua = createRequire(import.meta.url)(folder);
const wanted = JSON.parse(settings);
for (const file of files) {
  const config = stylua.Config.new();
  config.column_width = wanted.column_width;
  config.line_endings = stylua.LineEndings[wanted.line_endings];
  config.indent_type = stylua.IndentType[wanted.indent_type];
  config.indent_width = wanted.indent_width;
  config.quote_style = stylua.QuoteStyle[wanted.quote_style];
  const before = readFileSync(file, "utf8");
  const after = stylua.formatCode(before, config, undefined, stylua.OutputVerification.Full);
  if (after !== before) {
    console.log(file);
    if (process.env.WRITE) writeFileSync(file, after);
  }
}
