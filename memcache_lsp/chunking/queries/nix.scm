(comment) @lead
(source_code (_ body: (let_expression (binding_set (binding attrpath: (_) @name expression: (function_expression)) @function))))
(source_code (_ body: (let_expression (binding_set (binding attrpath: (_) @name) @variable))))
(source_code (let_expression (binding_set (binding attrpath: (_) @name expression: (function_expression)) @function)))
(source_code (let_expression (binding_set (binding attrpath: (_) @name) @variable)))
(source_code (_ body: (let_expression body: (attrset_expression (binding_set (binding attrpath: (_) @name) @key)))))
(source_code (_ body: (attrset_expression (binding_set (binding attrpath: (_) @name) @key))))
(source_code (attrset_expression (binding_set (binding attrpath: (_) @name) @key)))
