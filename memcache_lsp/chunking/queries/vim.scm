(comment) @lead
(function_definition (function_declaration name: (_) @name)) @function
(script_file (let_statement . [(scoped_identifier) (identifier)] @name) @variable)
(command_statement name: (_) @name) @macro
(augroup_statement . (augroup_name) @name) @block
