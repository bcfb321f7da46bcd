"""The stages of an experiment, a module each: it and what it imports is what a kept result depends on."""
