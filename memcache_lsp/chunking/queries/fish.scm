(comment) @lead
(function_definition name: (_) @name) @function
((command name: (word) @_alias argument: (word) @name) @function (#eq? @_alias "alias"))
