(comment) @lead
