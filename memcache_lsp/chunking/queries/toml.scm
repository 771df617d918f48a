(comment) @lead
(table . "[" . (_) @name) @table
(table_array_element . "[[" . (_) @name) @table
(document (pair . (_) @name) @key)
