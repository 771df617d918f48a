(comment) @lead
(function_definition name: (_) @name) @function
(macro_definition name: (_) @name) @macro
(special_form ["defvar" "defconst"] . (symbol) @name) @variable
((list . (symbol) @_def . [(symbol) @name (quote (symbol) @name)]) @function (#match? @_def "^(cl-)?(defun|defsubst|defmethod|defgeneric|define-inline|iter-defun|defalias|define-minor-mode|define-globalized-minor-mode|define-derived-mode|define-compilation-mode|define-advice|transient-define-prefix|transient-define-suffix|defhydra|ert-deftest)\\*?$"))
((list . (symbol) @_def . (symbol) @name) @function (#any-of? @_def "define-inline" "define-minor-mode" "define-globalized-minor-mode" "define-derived-mode"))
((list . (symbol) @_def . (symbol) @name) @macro (#any-of? @_def "cl-defmacro" "pcase-defmacro"))
((list . (symbol) @_def . (symbol) @name) @variable (#any-of? @_def "defcustom" "defvar-local" "defvar-keymap" "defvaralias" "defvar" "defconst"))
((list . (symbol) @_def . (symbol) @name) @type (#any-of? @_def "defface" "defgroup" "define-error"))
((list . (symbol) @_def . [(symbol) @name (list . (symbol) @name)]) @struct (#any-of? @_def "cl-defstruct" "defclass" "cl-deftype"))
((list . (symbol) @_def . (symbol) @name) @test (#any-of? @_def "ert-deftest"))
