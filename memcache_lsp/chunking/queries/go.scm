(comment) @lead
(function_declaration name: (identifier) @name) @function
(method_declaration receiver: (parameter_list (parameter_declaration type: [(type_identifier) @scope (pointer_type (type_identifier) @scope) (generic_type type: (type_identifier) @scope) (pointer_type (generic_type type: (type_identifier) @scope))])) name: (field_identifier) @name) @method
(method_declaration name: (field_identifier) @name) @method
(type_declaration "type" . (type_spec name: (type_identifier) @name type: (struct_type)) .) @struct
(type_declaration "type" . (type_spec name: (type_identifier) @name type: (interface_type)) .) @interface
(type_declaration "type" . (type_spec name: (type_identifier) @name) .) @type
(type_declaration "type" . (type_alias name: (type_identifier) @name) .) @type
(type_declaration "(" (type_spec name: (type_identifier) @name type: (struct_type)) @struct)
(type_declaration "(" (type_spec name: (type_identifier) @name type: (interface_type)) @interface)
(type_declaration "(" (type_spec name: (type_identifier) @name) @type)
(type_declaration "(" (type_alias name: (type_identifier) @name) @type)
(source_file (const_declaration (const_spec name: (identifier) @name) @constant))
(source_file (var_declaration (var_spec name: (identifier) @name) @variable))
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name) @variable)))
(interface_type (method_elem name: (field_identifier) @name) @method)
