"""Adapters that bind `framer` to the runtimes that do I/O, one module a runtime.

This package imports none of them:
import the module of the runtime that you use, and only that runtime is loaded.
"""
