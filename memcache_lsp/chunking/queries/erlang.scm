(comment) @lead
(spec) @lead
(module_attribute name: (_) @name) @module
(pp_define lhs: (macro_lhs name: (_) @name)) @macro
(record_decl name: (_) @name) @struct
(type_alias name: (type_name name: (_) @name)) @type
(opaque name: (type_name name: (_) @name)) @type
(callback fun: (_) @name) @method
(fun_decl clause: (function_clause name: (_) @name)) @function
