(comment) @lead
(from_instruction as: (_) @name) @module
(from_instruction . (image_spec) @name .) @module
(arg_instruction name: (_) @name) @variable
