; inherits: ecmascript
(field_definition property: (_) @name value: [(arrow_function) (function_expression)]) @method
(field_definition property: (_) @name) @field
; describe("…", () => …), it(…), test(…)
((call_expression function: (identifier) @_test arguments: (arguments . (string (string_fragment) @name) [(arrow_function) (function_expression)])) @test (#any-of? @_test "describe" "it" "test" "suite" "context"))
