# Kakoune without kakoune-lsp: into ~/.config/kak/kakrc. It runs memcache-lsp itself, in the folder Kakoune is in.

define-command memcache-search -params 1.. -docstring %{
    memcache-search <words>: places of the project by meaning, as in *grep*
} %{
    memcache-run search %arg{@}
}

define-command memcache-ask -params 1.. -docstring %{
    memcache-ask <question>: the answer as it comes, with its sources as in *grep*
} %{
    memcache-run ask %arg{@}
}

define-command -hidden memcache-run -params 2.. %{
    evaluate-commands %sh{
        verb=$1
        shift
        output=$(mktemp -d "${TMPDIR:-/tmp}"/kak-memcache.XXXXXXXX)/fifo
        mkfifo "$output"
        # A place as Kakoune jumps to it: path:line:column; how far it is, is not kept.
        (memcache-lsp "$verb" -- "$*" 2>&1 |
            sed -u -E -e '/^(Reading the evidence|Indexing):/d' \
                -e 's/^( *(\[[0-9]+\]) )?([^ :][^:]*):([0-9]+)-[0-9]+/\3:\4:1: \2/' >"$output" &) >/dev/null 2>&1 </dev/null
        printf %s\\n "evaluate-commands -try-client '$kak_opt_toolsclient' %{
            edit! -fifo $output *memcache*
            set-option buffer filetype grep
            hook -always -once buffer BufCloseFifo .* %{ nop %sh{ rm -r $(dirname "$output") } }
        }"
    }
}

map global user s ':memcache-search ' -docstring 'search the project by meaning'
map global user a ':memcache-ask '    -docstring 'ask about the project'
