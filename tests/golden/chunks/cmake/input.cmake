cmake_minimum_required(VERSION 3.20)
project(memo LANGUAGES CXX)

set(MEMO_VERSION 1.0)

# Add a program with our flags.
function(add_memo_program name)
  add_executable(${name} ${ARGN})
endfunction()

macro(use_warnings)
  add_compile_options(-Wall)
endmacro()

add_library(memo src/memo.cpp)
add_executable(memo-cli src/main.cpp)
