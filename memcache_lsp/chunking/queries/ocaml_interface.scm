(comment) @lead
(attribute) @lead
(exception_definition (constructor_declaration (constructor_name) @name)) @type
(type_definition (type_binding name: (_) @name)) @type
(value_specification (value_name) @name) @function
(external (value_name) @name) @function
(module_definition (module_binding (module_name) @name)) @module
(module_type_definition (module_type_name) @name) @interface
(class_definition (class_binding (class_name) @name)) @class
(class_type_definition (class_type_binding (class_type_name) @name)) @class
(method_specification (method_name) @name) @method
