[(comment) (marginalia)] @lead
(statement (create_schema (identifier) @name)) @module
(statement (create_table (object_reference name: (_) @name))) @table
(statement (create_view (object_reference name: (_) @name))) @table
(statement (create_materialized_view (object_reference name: (_) @name))) @table
(statement (create_index column: (_) @name)) @key
(statement (create_type (object_reference name: (_) @name))) @type
(statement (create_function (object_reference name: (_) @name))) @function
(statement (create_trigger . (keyword_create) (keyword_trigger) . (object_reference name: (_) @name))) @function
(statement (create_sequence (object_reference name: (_) @name))) @variable
(statement (create_database (identifier) @name)) @module
