; inherits: ecmascript
(function_signature name: (_) @name) @function
(abstract_class_declaration name: (_) @name) @class
(interface_declaration name: (_) @name) @interface
(type_alias_declaration name: (_) @name) @type
(enum_declaration name: (_) @name) @enum
(internal_module name: (_) @name) @module
(module name: (_) @name) @module
(abstract_method_signature name: (_) @name) @method
(method_signature name: (_) @name) @method
(public_field_definition name: (_) @name value: [(arrow_function) (function_expression)]) @method
(public_field_definition name: (_) @name) @field
(ambient_declaration (lexical_declaration (variable_declarator name: (identifier) @name)) @variable)
; describe("…", () => …), it(…), test(…)
((call_expression function: (identifier) @_test arguments: (arguments . (string (string_fragment) @name) [(arrow_function) (function_expression)])) @test (#any-of? @_test "describe" "it" "test" "suite" "context"))
