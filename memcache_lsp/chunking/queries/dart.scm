[(comment) (documentation_comment)] @lead
(annotation) @lead
(class_definition name: (_) @name) @class
(mixin_declaration (identifier) @name) @class
(extension_declaration name: (_) @name) @impl
(enum_declaration name: (_) @name) @enum
(enum_constant name: (_) @name) @field
(type_alias . (type_identifier) @name) @type
((method_signature [(function_signature name: (_) @name) (getter_signature name: (_) @name) (setter_signature name: (_) @name)]) @method . (function_body) @end)
((method_signature (operator_signature "operator" . (_) @name)) @method . (function_body) @end)
((method_signature (constructor_signature name: (_) @name)) @method . (function_body) @end)
((method_signature (factory_constructor_signature . (identifier) @name)) @method . (function_body) @end)
(declaration [(function_signature name: (_) @name) (getter_signature name: (_) @name)]) @method
(declaration (constructor_signature name: (_) @name)) @method
(declaration (initialized_identifier_list (initialized_identifier . (identifier) @name))) @field
(program (function_signature name: (_) @name) @function . (function_body) @end)
(program (static_final_declaration_list (static_final_declaration . (identifier) @name)) @constant)
