(comment) @lead
(decorator) @lead
(function_definition name: (identifier) @name) @function
(class_definition name: (identifier) @name) @class
(type_alias_statement . (type (_) @name)) @type
(module (assignment left: (identifier) @name) @variable)
(module (if_statement (block (assignment left: (identifier) @name) @variable)))
(class_definition body: (block (assignment left: (identifier) @name) @variable))
