[(line_comment) (bracket_comment)] @lead
(function_def (function_command (argument_list . (argument) @name))) @function
(macro_def (macro_command (argument_list . (argument) @name))) @macro
((normal_command (identifier) @_command (argument_list . (argument) @name)) @variable (#match? @_command "^([sS][eE][tT]|[oO][pP][tT][iI][oO][nN])$"))
((normal_command (identifier) @_command (argument_list . (argument) @name)) @rule (#match? @_command "^([aA][dD][dD]_([eE][xX][eE][cC][uU][tT][aA][bB][lL][eE]|[lL][iI][bB][rR][aA][rR][yY]|[cC][uU][sS][tT][oO][mM]_[tT][aA][rR][gG][eE][tT])|[pP][rR][oO][jJ][eE][cC][tT])$") (#not-match? @name "[$]"))
