(comment) @lead
(config_file (body (block . (identifier) . (string_lit (template_literal) @scope) . (string_lit (template_literal) @name)) @rule))
(config_file (body (block . (identifier) . (string_lit (template_literal) @name) . (block_start)) @variable))
(config_file (body (block . (identifier) @name . (block_start)) @rule))
(config_file (body (attribute . (identifier) @name) @variable))
