# Greet.
set -g name world

# Say hello.
function greet --description "Say hello"
    echo hello $name
end

function part
    greet
end
