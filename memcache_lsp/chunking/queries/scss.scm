[(comment) (js_comment)] @lead
(rule_set (selectors) @name) @rule
(mixin_statement name: (_) @name) @macro
(function_statement name: (_) @name) @function
(media_statement . "@media" @name) @rule
(keyframes_statement (keyframes_name) @name) @rule
(stylesheet (declaration (property_name) @name) @variable)
