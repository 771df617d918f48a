[(comment) (description)] @lead
(object_type_definition (name) @name) @type
(interface_type_definition (name) @name) @interface
(enum_type_definition (name) @name) @enum
(input_object_type_definition (name) @name) @struct
(union_type_definition (name) @name) @type
(scalar_type_definition (name) @name) @type
(directive_definition (name) @name) @macro
(operation_definition (name) @name) @function
(fragment_definition (fragment_name) @name) @function
