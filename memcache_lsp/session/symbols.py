"""Own `workspace/symbol`: places by meaning, for editors without a client of ours.

Must not import the engine.
"""

from __future__ import annotations

from typing import Any

from memcache_lsp.protocol.codec import to_json
from memcache_lsp.protocol.parts import Hit
from memcache_lsp.protocol.spec import SearchParams
from memcache_lsp.session.lsp import Handler, Server, types

LIMIT = 50

_KINDS = {
    "module": types.SymbolKind.Module,
    "namespace": types.SymbolKind.Namespace,
    "class": types.SymbolKind.Class,
    "method": types.SymbolKind.Method,
    "property": types.SymbolKind.Property,
    "field": types.SymbolKind.Field,
    "constructor": types.SymbolKind.Constructor,
    "enum": types.SymbolKind.Enum,
    "interface": types.SymbolKind.Interface,
    "trait": types.SymbolKind.Interface,
    "function": types.SymbolKind.Function,
    "macro": types.SymbolKind.Function,
    "variable": types.SymbolKind.Variable,
    "constant": types.SymbolKind.Constant,
    "struct": types.SymbolKind.Struct,
    "type": types.SymbolKind.Struct,
    "section": types.SymbolKind.String,
}


async def workspace_symbol(ls: Server, params: types.WorkspaceSymbolParams) -> list[dict[str, Any]]:
    """Search for what was typed."""
    if not params.query.strip():
        return []
    found = await ls.context.backend.search(ls.context.id, SearchParams(query=params.query, limit=LIMIT))
    return [_symbol(hit) for hit in found.hits]


def _symbol(hit: Hit) -> dict[str, Any]:
    qualifier, _, name = hit.symbol.rpartition(".") if hit.kind != "section" else ("", "", hit.symbol)
    first = next((line.strip() for line in hit.snippet.splitlines() if line.strip()), hit.path)
    return {
        "name": name or hit.symbol or first[:80],
        "kind": int(_KINDS.get(hit.kind, types.SymbolKind.File)),
        "containerName": f"{qualifier} ({hit.path})" if qualifier else hit.path,
        "location": to_json(hit.location),
    }


HANDLERS: dict[str, Handler] = {types.WORKSPACE_SYMBOL: workspace_symbol}
