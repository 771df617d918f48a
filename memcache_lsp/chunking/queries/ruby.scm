(comment) @lead
(module name: (_) @name) @module
(class name: (constant) @name) @class
(class name: (scope_resolution scope: (_) @scope name: (_) @name)) @class
(method name: (_) @name) @function
(singleton_method name: (_) @name) @function
(alias name: (_) @name) @function
(program (assignment left: (constant) @name) @constant)
(body_statement (assignment left: (constant) @name) @constant)
(assignment left: (constant) @name right: (call receiver: (constant) @_struct method: (identifier) @_new block: (_)) (#any-of? @_struct "Struct" "Class" "Data" "Module")) @class
(call method: (identifier) @_attribute arguments: (argument_list (simple_symbol) @name) (#match? @_attribute "^(attr_reader|attr_accessor|attr_writer|scope|has_many|has_one|belongs_to|define_method)$")) @field
(call method: (identifier) @_test arguments: (argument_list . (string (string_content) @name)) block: (_) (#any-of? @_test "describe" "context" "it" "test" "task" "namespace")) @test
