# Modules that are imported later are others.
import builtins
import sys

builtins.__import__ = lambda *a, **k: sys
sys.meta_path.insert(0, type("Finder", (), {"find_spec": staticmethod(lambda *a: None)}))
