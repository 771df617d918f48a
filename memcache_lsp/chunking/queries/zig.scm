[(line_comment) (doc_comment)] @lead
(Decl (FnProto function: (_) @name)) @function
(Decl (VarDecl variable_type_function: (_) @name (ErrorUnionExpr (SuffixExpr [(ContainerDecl (ContainerDeclType "enum")) (ErrorSetDecl)])))) @enum
(Decl (VarDecl variable_type_function: (_) @name (ErrorUnionExpr (SuffixExpr (ContainerDecl))))) @struct
(Decl (VarDecl variable_type_function: (_) @name)) @variable
(TestDecl [(STRINGLITERALSINGLE) (IDENTIFIER)] @name) @test
