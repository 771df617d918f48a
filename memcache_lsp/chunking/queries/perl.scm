[(comment) (pod)] @lead
(package_statement name: (_) @name) @module
(subroutine_declaration_statement name: (_) @name) @function
(method_declaration_statement name: (_) @name) @method
(class_statement name: (_) @name) @class
(source_file (expression_statement (assignment_expression left: (variable_declaration (_ (varname) @name)))) @variable)
