(comment) @lead
(decorator) @lead
(function_declaration name: (_) @name) @function
(generator_function_declaration name: (_) @name) @function
(class_declaration name: (_) @name) @class
(method_definition name: (_) @name) @method
; const f = () => …, also wrapped: memo(function …), forwardRef(() => …)
(lexical_declaration (variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (generator_function)])) @function
(variable_declaration (variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (generator_function)])) @function
(lexical_declaration (variable_declarator name: (identifier) @name value: (call_expression arguments: (arguments . [(arrow_function) (function_expression)])))) @function
(lexical_declaration (variable_declarator name: (identifier) @name value: (class))) @class
(expression_statement (assignment_expression left: (member_expression object: (_) @scope property: (_) @name) right: [(arrow_function) (function_expression) (generator_function)])
  (#not-match? @scope "^(module\\.)?exports$|^this\\b|\\n")) @function
(expression_statement (assignment_expression left: (member_expression object: (_) @_exports property: (_) @name) right: [(arrow_function) (function_expression) (generator_function)])
  (#match? @_exports "^(module\\.)?exports$")) @function
(expression_statement (assignment_expression left: (member_expression object: (_) @_exports property: (_) @name))
  (#match? @_exports "^(module\\.)?exports$")) @variable
(expression_statement (assignment_expression left: (identifier) @name right: [(arrow_function) (function_expression)])) @function
; var app = exports = module.exports = {}
(program (lexical_declaration (variable_declarator name: (identifier) @name)) @variable)
(program (variable_declaration (variable_declarator name: (identifier) @name)) @variable)
(export_statement declaration: (lexical_declaration (variable_declarator name: (identifier) @name)) @variable)
; members of an object that are functions
(pair key: [(property_identifier) (string)] @name value: [(arrow_function) (function_expression)]) @method
