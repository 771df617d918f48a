[(comment) (haddock)] @lead
(header module: (_) @name) @module
(data_type name: (_) @name) @type
(newtype name: (_) @name) @type
(type_synomym name: (_) @name) @type
(type_family name: (_) @name) @type
(data_family name: (_) @name) @type
(class name: (_) @name) @interface
(instance name: (_) @scope (type_patterns) @name) @impl
(instance name: (_) @name) @impl
(declarations (signature name: (_) @name) @function)
(declarations (signature names: (binding_list . name: (_) @name)) @function)
(declarations (function name: (_) @name) @function)
(declarations (bind name: (_) @name) @function)
(declarations (function (infix operator: (_) @name)) @function)
(class_declarations (signature name: (_) @name) @function)
(class_declarations (function name: (_) @name) @function)
(class_declarations (bind name: (_) @name) @function)
(instance_declarations (function name: (_) @name) @function)
(instance_declarations (bind name: (_) @name) @function)
(pattern_synonym (signature) @name) @function
