(comment) @lead
(function_statement (function_name) @name) @function
(class_statement . (simple_name) @name) @class
(class_method_definition (simple_name) @name) @method
(class_property_definition (variable) @name) @field
(enum_statement . (simple_name) @name) @enum
(program (statement_list (pipeline (assignment_expression (left_assignment_expression) @name)) @variable))
