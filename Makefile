# make demo     index a real project, ask it a question, stream an answer with its sources; DEMO_MODEL=none: quote one
# make test     every check and every test
# make check    the checks alone: style, types, layers, and the Lua sources with their annotations
# make bench    the retrieval benchmark, semble and ripgrep beside us (pip puts them into .bench); needs DATA=… (its
#               questions) and CORPORA=… (its repositories); ARGS=… adds options, as ARGS='--plot FILE.svg --repo NAME'
# make speed    what a user waits for, held against its limits, on the demo's project and one of 1,000 files
# make serving  the language server's figures held against their limits: latency, cancel, memory, ends; CORPUS=… real code
# make scale    a million chunks, a branch switch, a cold project, renames, memory; needs CORPUS=… (a folder of real code)
# make vscode   the VS Code extension as a package: editors/vscode/dist/memcache-lsp.vsix (needs Node and npm)
# The first call of each sets up .venv by itself; compiling llama.cpp takes some minutes, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := $(shell find memcache_lsp -type f -not -name '*.pyc')
# What a text model in process does not need takes half of the compile time.
LLAMA_CMAKE := -DLLAVA_BUILD=OFF -DMTMD_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
  -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_CURL=OFF
TEST_HOME := $(CURDIR)/$(VENV)/test-home
STYLUA := @johnnymorganz/stylua@2.5.2
VSCODE := editors/vscode
VSCODE_SOURCES := $(shell find $(VSCODE) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' \
  -not -name NOTICE.txt -not -name LICENSE)
VSCODE_WEB := $(VENV)/vscode-web
CODE_SERVER := 4.100.3 # holds the server and the web workbench of VS Code 1.100
NPM := $(shell command -v npm)
NPM_INSTALL := npm install --ignore-scripts --no-audit --no-fund --loglevel=error
TEST_WORKERS ?= 3 # much of what the tests do is waiting for processes

.PHONY: demo test check bench speed serving scale vscode clean

demo: $(VENV)/.package
	$(BIN)/python bench/demo.py

# What the VS Code extension's tests need is set up where Node is.
test: check $(TEST_HOME)/.models $(if $(NPM),vscode $(VSCODE_WEB)/.ready)
	MEMCACHE_TEST_HOME=$(TEST_HOME) $(BIN)/pytest -n $(TEST_WORKERS) --dist worksteal

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_neovim_style.py

bench: $(VENV)/.package
	$(BIN)/python bench/retrieval.py --data $(DATA) --corpora $(CORPORA) $(ARGS)

speed: $(VENV)/.package
	$(BIN)/python bench/speed.py --check --synthetic 1000 $(wildcard .demo/*-*)

serving: $(VENV)/.package
	$(BIN)/python bench/server.py $(if $(CORPUS),--corpus $(CORPUS))

scale: $(VENV)/.package
	$(BIN)/python bench/scale.py --corpus $(CORPUS)

# The package is installed as a wheel, not as links into this folder: what is tested is what is shipped.
$(VENV)/.package: $(VENV)/.requirements $(SOURCES) README.md
	$(PIP) install --no-deps --force-reinstall .
	@touch $@

$(VENV)/.requirements: pyproject.toml
	@echo "Setting up $(VENV); llama.cpp is compiled once, which takes 5 to 15 minutes."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"
	CMAKE_ARGS="$(LLAMA_CMAKE)" $(PIP) install ".[llama]"
	@touch $@

$(VENV)/.dev: $(VENV)/.package
	@echo "Adding what the tests need."
	$(PIP) install torch==2.13.0
	$(PIP) install --group dev ".[all]"
	if command -v npm >/dev/null; then npm install --silent --no-audit --no-fund --prefix $(VENV) $(STYLUA); fi
	@touch $@

$(TEST_HOME)/.models: $(VENV)/.dev
	MEMCACHE_HOME=$(TEST_HOME) $(BIN)/memcache-lsp models pull smollm2-135m-instruct
	MEMCACHE_HOME=$(TEST_HOME) $(BIN)/memcache-lsp models pull all-minilm-l6-v2
	@touch $@

vscode: $(VSCODE)/dist/.built

$(VSCODE)/dist/.built: $(VSCODE)/node_modules/.ready $(VSCODE_SOURCES) LICENSE
	cd $(VSCODE) && npm run --silent package >dist.log 2>&1 || (cat dist.log; false)
	cd $(VSCODE) && node esbuild.mjs --tests && rm dist.log
	@touch $@

$(VSCODE)/node_modules/.ready: $(VSCODE)/package-lock.json
	cd $(VSCODE) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Without its installation scripts: what they compile (terminals, proxies, logs) the tests do not use.
$(VSCODE_WEB)/.ready: $(VENV)/.requirements
	mkdir -p $(VSCODE_WEB) && echo '{"private": true}' >$(VSCODE_WEB)/package.json
	cd $(VSCODE_WEB) && $(NPM_INSTALL) code-server@$(strip $(CODE_SERVER))
	cd $(VSCODE_WEB)/node_modules/code-server/lib/vscode && $(NPM_INSTALL) --omit=dev --legacy-peer-deps
	@touch $@

clean:
	rm -rf $(VSCODE)/node_modules $(VSCODE)/dist $(VENV) dist build .demo .bench
