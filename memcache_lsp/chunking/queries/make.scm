(comment) @lead
((rule (targets) @name) @rule (#not-match? @name "^\\.PHONY"))
(makefile (variable_assignment name: (_) @name) @variable)
(define_directive name: (_) @name) @macro
