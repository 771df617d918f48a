[(line_comment) (block_comment)] @lead
(attribute_item) @lead
(function_item name: (_) @name) @function
(function_signature_item name: (_) @name) @function
(struct_item name: (_) @name) @struct
(union_item name: (_) @name) @struct
(enum_item name: (_) @name) @enum
(trait_item name: (_) @name) @trait
(mod_item name: (_) @name) @module
(type_item name: (_) @name) @type
(associated_type name: (_) @name) @type
(const_item name: (_) @name) @constant
(static_item name: (_) @name) @constant
(macro_definition name: (_) @name) @macro
(impl_item type: [(type_identifier) @name (generic_type type: (_) @name) (reference_type type: (_) @name) (scoped_type_identifier name: (_) @name)]) @impl
(impl_item type: (_) @name) @impl
