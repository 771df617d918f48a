(comment) @lead
((list_lit . (sym_lit) @_def . (sym_lit name: (_) @name)) @module (#match? @_def "^(ns|in-ns)$"))
((list_lit . (sym_lit) @_def . (meta_lit)? . (sym_lit name: (_) @name)) @function (#match? @_def "^(s/|t/)?(defn-?|defmethod|defmulti|def-|>defn-?)$"))
((list_lit . (sym_lit) @_def . (sym_lit name: (_) @name)) @macro (#eq? @_def "defmacro"))
((list_lit . (sym_lit) @_def . (sym_lit name: (_) @name)) @variable (#match? @_def "^(s/)?(def|defonce)$"))
((list_lit . (sym_lit) @_def . (sym_lit name: (_) @name)) @interface (#match? @_def "^(defprotocol|definterface)$"))
((list_lit . (sym_lit) @_def . (sym_lit name: (_) @name)) @struct (#match? @_def "^(s/)?(defrecord|deftype)$"))
((list_lit . (sym_lit) @_def . (sym_lit name: (_) @name)) @test (#match? @_def "^(deftest|defspec)$"))
((list_lit . (sym_lit) @_def (list_lit . (sym_lit name: (_) @name) . (vec_lit)) @method) (#match? @_def "^(defprotocol|definterface)$"))
