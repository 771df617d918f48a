PYTHON ?= python3
VERSION := 1.0

# Run the tests.
test: build
	$(PYTHON) -m pytest

build: src/main.c
	cc -o $@ $<

define banner
echo hello
endef

.PHONY: test build
