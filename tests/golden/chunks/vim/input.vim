" Notes.
let g:notes_file = '~/notes.txt'

" Add a note.
function! notes#add(text) abort
  call writefile([a:text], g:notes_file, 'a')
endfunction

function! s:helper()
  return 1
endfunction

command! -nargs=1 Note call notes#add(<q-args>)
