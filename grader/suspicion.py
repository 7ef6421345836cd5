"""What in a student's text an instructor should look at: a reading of the code, which costs no marks.

An honest answer to an exercise here is arithmetic.  Whoever reaches for the interpreter's insides, for files or for
the checks themselves may have a reason, and the sandbox doesn't rely on this list: it only says where to look.
"""

import ast
import re
import warnings

MODULES = {
    "IPython", "_ctypes", "_thread", "ast", "asyncio", "atexit", "builtins", "cffi", "code", "codecs", "concurrent",
    "ctypes", "dill", "dis", "faulthandler", "fcntl", "gc", "glob", "grader", "http", "importlib", "inspect", "io",
    "ipykernel", "joblib", "linecache", "marshal", "mmap", "multiprocessing", "nbformat", "nbgrader", "os", "pathlib",
    "pickle", "pkgutil", "platform", "psutil", "pty", "requests", "resource", "runpy", "select", "shelve", "shutil",
    "signal", "site", "socket", "sqlite3", "subprocess", "sys", "tempfile", "threading", "traceback", "types", "urllib",
    "weakref", "zipimport",
}  # fmt: skip
BUILTINS = {
    "__builtins__", "__import__", "breakpoint", "compile", "delattr", "eval", "exec", "get_ipython", "input", "open",
    "setattr",
}  # fmt: skip
INSIDES = re.compile(
    r"__(array\w*|base|bases|builtins|class|closure|code|defaults|dict|getattribute|globals|loader|mro|reduce\w*|"
    r"spec|subclasses|traceback|wrapped|self|func)__|_getframe|[fg]i?_(back|globals|locals|frame|code|builtins)|tb_\w+|"
    r"input_transformers_\w+|ast_transformers|user_ns|set_custom_exc|settrace|setprofile|excepthook|displayhook"
)
CHECKS = {"checks", "exercise", "grading"}
PLACES = re.compile(
    r"/proc/|/etc/|/root|/home|gradebook|\.ipynb|solutions/|source/|submitted/|autograded/|feedback/|"
    r"BEGIN (HIDDEN|SOLUTION)|<\s*(script|iframe|img|svg|style|form)|of \d+ points"
)
# No person writes a longer cell.
LONGEST = 50_000
SHELL = re.compile(r"^[ \t]*(!|%%?(bash|sh|script|system|sx|pip|conda|run|load|writefile|env|store)\b)", re.MULTILINE)
VALUES = {"float", "int", "complex", "str", "dict", "list", "tuple", "bool", "bytes", "ndarray", "float64"}


def suspicions(source: str) -> list[str]:
    """In a few words each: what to look at in the text of a cell; nothing for ordinary code."""
    if len(source) > LONGEST:
        return [f"has {len(source):,} characters"]
    lines = [("pass" if re.match(r"\s*[%!]", line) else line) for line in source.splitlines()]
    found = ["has a command for the shell"] if SHELL.search(source) else []
    nodes = list(ast.walk(parsed("\n".join(lines))))
    imported = _imported(nodes)
    for node in nodes:
        match node:
            case ast.Import(names=names):
                found += [f"imports {n.name}" for n in names if n.name.split(".")[0] in MODULES]
                found += [f"imports {n.name}" for n in names if n.name.startswith("backprop.gr")]
            case ast.ImportFrom(module=module) if module and module.split(".")[0] in MODULES:
                found.append(f"imports from {module}")
            case ast.Name(id=name) if name in BUILTINS:
                found.append(f"uses {name}")
            case ast.Name(id=name) if name in CHECKS:
                found.append(f"reaches for the checks: {name}")
            case ast.Attribute(attr=name) if INSIDES.fullmatch(name):
                found.append(f"reaches for the interpreter's insides: {name}")
            case ast.Constant(value=str(text)) if INSIDES.fullmatch(text):
                found.append(f"names the interpreter's insides: {text}")
            case ast.Constant(value=str(text)) if match_ := PLACES.search(text):
                found.append(f"holds the text {match_[0]!r}")
            case ast.ClassDef(name=name, bases=bases):
                kinds = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in bases]
                found += [f"class {name} passes for a {kind}" for kind in kinds if kind in VALUES]
                found += [
                    f"class {name} defines {inner.name}"
                    for inner in node.body
                    if isinstance(inner, ast.FunctionDef) and inner.name.startswith("__array")
                ]
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.Delete)):
            targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
            for target in targets:
                if isinstance(target, ast.Attribute) and _root(target) in imported:
                    found.append(f"changes {ast.unparse(target)}")
    return list(dict.fromkeys(found))


def parsed(source: str) -> ast.Module:
    """The tree of a text that may be anything, without IPython's own lines; an empty one where it can't be read."""
    source = re.sub(r"^[ \t]*[%!].*$", "", source, flags=re.MULTILINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source if len(source) <= LONGEST else "")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Module([], [])


def _root(node: ast.AST) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return getattr(node, "id", "")


def _imported(nodes: list[ast.AST]) -> set[str]:
    """The names that imports give, and those that a notebook begins with."""
    names = {"np", "numpy", "torch", "grading"}
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return names
