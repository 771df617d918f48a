[(line_comment) (block_comment)] @lead
(source_file (string_literal) @lead)
(block (string_literal) @lead)
(module_definition name: (_) @name) @module
(abstract_definition (type_head . (_) @name)) @type
(primitive_definition (type_head . (_) @name)) @type
(struct_definition (type_head . [(identifier) @name (binary_expression . (identifier) @name) (parametrized_type_expression . (identifier) @name) (binary_expression . (parametrized_type_expression . (identifier) @name))])) @struct
(function_definition (signature [
  (identifier) @name
  (call_expression . (_) @name)
  (typed_expression . (call_expression . (_) @name))
  (where_expression . (call_expression . (_) @name))
  (where_expression . (typed_expression . (call_expression . (_) @name)))])) @function
(macro_definition (signature (call_expression . (_) @name))) @macro
(source_file (assignment . [(call_expression . (_) @name) (where_expression . (call_expression . (_) @name)) (typed_expression . (call_expression . (_) @name))]) @function)
(module_definition (block (assignment . [(call_expression . (_) @name) (where_expression . (call_expression . (_) @name)) (typed_expression . (call_expression . (_) @name))]) @function))
(const_statement (assignment . (identifier) @name)) @constant
(source_file (assignment . (identifier) @name) @variable)
