(comment) @lead
(binary_operator lhs: [(identifier) (string)] @name operator: ["<-" "<<-" "="] rhs: (function_definition)) @function
(program (binary_operator lhs: (identifier) @name operator: ["<-" "<<-" "="]) @variable)
(call function: (identifier) @_set arguments: (arguments . argument: (argument value: (string) @name)) (#any-of? @_set "setClass" "R6Class" "setRefClass")) @class
(call function: (identifier) @_set arguments: (arguments . argument: (argument value: (string) @name)) (#any-of? @_set "setGeneric" "setMethod")) @method
(call function: (identifier) @_set arguments: (arguments . argument: (argument value: (string) @name)) (#eq? @_set "test_that")) @test
