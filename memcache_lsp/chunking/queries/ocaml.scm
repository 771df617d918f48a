(comment) @lead
(attribute) @lead
(exception_definition (constructor_declaration (constructor_name) @name)) @type
(type_definition (type_binding name: (_) @name)) @type
(compilation_unit (value_definition (let_binding pattern: [(value_name) (parenthesized_operator)] @name [(parameter) (function_expression) (fun_expression)]) @function))
(compilation_unit (value_definition (let_binding pattern: [(value_name) (parenthesized_operator)] @name body: [(function_expression) (fun_expression)]) @function))
(compilation_unit (value_definition (let_binding pattern: (value_name) @name) @variable))
(structure (value_definition (let_binding pattern: [(value_name) (parenthesized_operator)] @name (parameter)) @function))
(structure (value_definition (let_binding pattern: (value_name) @name body: [(function_expression) (fun_expression)]) @function))
(structure (value_definition (let_binding pattern: (value_name) @name) @variable))
(value_specification (value_name) @name) @function
(external (value_name) @name) @function
(module_definition (module_binding (module_name) @name)) @module
(module_type_definition (module_type_name) @name) @interface
(class_definition (class_binding (class_name) @name)) @class
(class_type_definition (class_type_binding (class_type_name) @name)) @class
(method_definition (method_name) @name) @method
