# `make demo` runs the main job on a sample, `make test` passes the tests; each in a virtual
# environment of its own, so that both work on a fresh machine with Python 3.10 or newer.
PYTHON ?= python3
DEMO := .venv
TEST := .venv-test

# What the pair below differs in is reported with exit code 1, as `diff` does.
.PHONY: demo
demo: $(DEMO)/installed
	$(DEMO)/bin/autoport report samples/digits.py:keras_model samples/digits.py:torch_model || [ $$? -eq 1 ]
	$(DEMO)/bin/autoport port samples/digits.py:keras_model "samples/digits.py:torch_model(eps=1e-3)" -o digits.safetensors

.PHONY: test
test: $(TEST)/installed
	$(TEST)/bin/pytest -n 2

.PHONY: zoo
zoo: $(TEST)/installed
	$(TEST)/bin/pytest -m zoo

.PHONY: transformers
transformers: $(TEST)/installed
	$(TEST)/bin/pytest -m transformers

# keras-hub asks for a tokenizer of TensorFlow that few systems have, and that no model needs.
.PHONY: hub
hub: $(TEST)/installed
	$(TEST)/bin/pip install --quiet --constraint constraints.txt --no-deps keras-hub kagglehub kagglesdk sentencepiece
	$(TEST)/bin/pytest -m hub

# Small files of every format, cut off at every byte and with thousands of bits changed, and configurations of names
# drawn from all that the frameworks have; takes an hour.
.PHONY: fuzz
fuzz: $(TEST)/installed
	$(TEST)/bin/pytest -m fuzz tests/files

# Files of every kind with the oldest versions that are allowed.
.PHONY: oldest
oldest:
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet --constraint constraints-oldest.txt --editable . tf_keras torchvision pytest hypothesis
	.venv-oldest/bin/pytest tests/files tests/test_loading.py tests/test_oldest.py

# Thousands of random architectures, edited and not; takes hours.
.PHONY: properties
properties: $(TEST)/installed
	HYPOTHESIS_PROFILE=nightly $(TEST)/bin/pytest tests/properties
	$(TEST)/bin/python -m tests.properties.campaign -n 1000

.PHONY: lint
lint: $(TEST)/installed
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

$(DEMO)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/pip install --quiet --constraint constraints.txt --editable .
	touch $@

# facenet-pytorch ships trained weights that a sample compares with; its own pins are years old.
$(TEST)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/pip install --quiet --constraint constraints.txt --editable '.[test]'
	$(TEST)/bin/pip install --quiet --no-deps facenet-pytorch==2.6.0
	touch $@

.PHONY: clean
clean:
	rm -rf $(DEMO) $(TEST) .venv-oldest digits.safetensors
