r"""Reads the LaTeX of the book's equations as numbers, at a point of a model (see twin.py).

What it reads: sums, products (juxtaposed, \cdot, \odot), fractions, powers, roots, transposes, entries (X_{nd}), sums
over an index, the usual functions, cases, [conditions], \delta_{ij}; derivatives as \frac{dL}{dw},
\frac{\partial L}{\partial W_{dh}}, dW, f'(z), \frac{d}{dx}(...), \Big|_{x=3}.  A product of matrices is a matrix
product; one of a scalar and anything is scaling; of two vectors it is nothing, since it could be either.
A formula that it can't read, or that could be read in two ways, raises Unread: it never guesses.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
from twin import SIZES, Misread, Point, disagreement, model, parameters

from backprop import ops


class Unread(ValueError):
    """The formula uses something that can't be read; the message says what."""


def _max(a, b):
    return np.where(np.real(a) > np.real(b), a, b)


def _min(a, b):
    return np.where(np.real(a) < np.real(b), a, b)


FUNCTIONS = {
    "sigma": ops.sigmoid,
    "sigmoid": ops.sigmoid,
    "tanh": np.tanh,
    "cosh": np.cosh,
    "sinh": np.sinh,
    "exp": np.exp,
    "log": np.log,
    "ln": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "relu": ops.relu,
    "ReLU": ops.relu,
    "softplus": ops.softplus,
    "softmax": ops.softmax,
    "logsumexp": ops.logsumexp,
    "max": _max,
    "min": _min,
}
GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi varphi chi "
    "psi omega Gamma Delta Theta Lambda Sigma Phi Psi Omega ell"
).split()
RELATIONS = {"=": "=", r"\equiv": "=", r"\coloneqq": "=", r"\triangleq": "=", r"\approx": "~"}
INEQUALITIES = {"<": "<", ">": ">", r"\le": "<=", r"\leq": "<=", r"\ge": ">=", r"\geq": ">=", r"\ne": "!="}
SEPARATORS = set(r", ; : . \quad \qquad \Rightarrow \implies \iff \to \leftarrow".split())
CONTINUES = {*RELATIONS, *INEQUALITIES, "+", "-", "^", r"\cdot", r"\odot"}
OPENING, CLOSING = {"(", "[", "{", r"\{"}, {")", "]", "}", r"\}"}
ACCENTS = {r"\hat", r"\bar", r"\tilde"}
SPACING = {r"\ "} | set(
    r"& ~ \, \; \! \: \> \left \right \displaystyle \limits \notag \nonumber "
    r"\big \Big \bigg \Bigg \bigl \bigr \Bigl \Bigr \biggl \biggr \Biggl \Biggr".split()
)
SYNONYMS = dict(
    pair.split()
    for pair in (
        r"\dfrac \frac", r"\tfrac \frac", r"\lVert \|", r"\rVert \|", r"\lvert |", r"\rvert |", r"\vert |",
        r"\lbrace \{", r"\rbrace \}", r"\prime '", r"\intercal \top", r"\land ,", r"\neq \ne",
    )
)
_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|\s+|.", re.S)
_WORD = re.compile(r"\\(?:text(?:rm|tt|it)?|math(?:rm|tt|sf|it)|operatorname\*?)\s*\{([^{}]*)\}")
_DRESS = re.compile(r"\\(?:mathbf|boldsymbol|bm|mathcal)\s*(?:\{((?:[^{}]|\{[^{}]*\})*)\}|([A-Za-z]))")


def tokens(latex: str) -> list[str]:
    """Tokens without layout; a word (\\text, \\mathrm, ...) is one token that starts with a quotation mark."""
    latex = re.sub(r"(?<!\\)%.*", "", latex)
    latex = re.sub(r"\\(?:label|tag|hspace|vphantom|phantom)\*?\{[^{}]*\}", "", latex)
    latex = re.sub(r"\\begin\{(array|alignat\*?)\}\{[^{}]*\}", r"\\begin{aligned}", latex)
    latex = re.sub(r"\\(begin|end)\{(?!cases)[^{}]*\}", "", latex)
    latex = re.sub(r"\\left\s*\.", "", latex)
    latex = re.sub(r"\\(?:right|[bB]igg?[rlm]?)\s*(?:\||\\[rl]?vert)\s*_", r"\\at ", latex)
    latex = re.sub(r"\\mathbf\{?1\}?|\\mathbb\{?1\}?|\\mathbbm\{?1\}?", r"\\ones ", latex)
    latex = re.sub(r"\\(?:under|over)brace\s*\{|\\boxed\s*\{|\\textcolor\{[^{}]*\}\s*\{", r"\\brace {", latex)
    latex = re.sub(r"\\(?:overset|underset|stackrel|color)\s*\{[^{}]*\}", "", latex)
    latex = re.sub(r"(?:\\math(?:rel|bin)\s*)?\{\s*(=|\\approx)\s*\}", r" \1 ", latex)
    latex = re.sub(r"\\\\\[[^\]]*\]", r"\\\\", latex)
    latex = _DRESS.sub(lambda m: f" {m[1] or m[2]} ", latex)
    latex = re.sub(r"\\math(?:rm|sf|tt|it)\s*([A-Za-z])", r" \1 ", latex)
    found, at = [], 0
    for word in [*_WORD.finditer(latex), None]:
        found += _TOKEN.findall(latex[at : word.start() if word else len(latex)])
        if word:
            found.append('"' + word[1].strip())
            at = word.end()
    found = [SYNONYMS.get(token, token) for token in found if not token.isspace() and token not in SPACING]
    return _without_braces(found)


def _without_braces(found: list[str]) -> list[str]:
    """\\underbrace{A}_{B} is A; \\boxed{A = B} is A = B."""
    while r"\brace" in found:
        at = found.index(r"\brace")
        end = _closing(found, at + 1)
        after = end + 1
        if found[after : after + 1] in (["_"], ["^"]):
            after = _closing(found, after + 1) + 1 if found[after + 1] == "{" else after + 2
        inside = found[at + 2 : end]
        states = any(token in RELATIONS for token in inside)
        found = found[:at] + (inside if states else ["{", *inside, "}"]) + found[after:]
    return found


def _closing(found: list[str], start: int) -> int:
    """Where the bracket that opens at `start` closes."""
    depth = 0
    for at in range(start, len(found)):
        depth += found[at] in OPENING
        depth -= found[at] in CLOSING
        if depth == 0:
            return at
    raise Unread("a bracket that does not close")


@dataclass(frozen=True)
class Statement:
    """A chain of equal sides, as tokens; `relations[k]` stands between sides k and k + 1: "=", "~" or another."""

    sides: tuple[tuple[str, ...], ...]
    relations: tuple[str, ...]

    def claims_a_derivative(self) -> bool:
        """Whether an equals sign and a derivative stand in it (a number after \\approx counts as equal)."""
        if not any(holds_derivative(side) for side in self.sides):
            return False
        return any(r == "=" or (r == "~" and _is_number(self.sides[k + 1])) for k, r in enumerate(self.relations))

    def __str__(self) -> str:
        return " = ".join(map(text, self.sides))


def text(side) -> str:
    """Tokens as LaTeX that a person can recognise."""
    out = ""
    for token in side:
        token = token.removeprefix('"')
        out += " " * bool(re.search(r"\\[A-Za-z]+$", out) and token[0].isalpha()) + token
    return out


def statements(latex: str) -> list[Statement]:
    """What an equation states, one statement for each chain of equal sides."""
    chains = [([[]], [])]
    depth = 0
    listed = tokens(latex)
    for token, following in zip(listed, [*listed[1:], ""], strict=True):
        sides, relations = chains[-1]
        closes = token in CLOSING or token == r"\end"
        if depth or closes:
            sides[-1].append(token)
        elif token in RELATIONS or token in INEQUALITIES or token == r"\propto":
            relations.append(RELATIONS.get(token, token))
            sides.append([])
        elif token == r"\\" and (following in CONTINUES or not sides[-1]):
            continue
        elif token in SEPARATORS or token == r"\\" or (token[0] == '"' and " " in token):
            if (token, following) != (":", "="):
                chains.append(([[]], []))
        else:
            sides[-1].append(token)
        depth += (token in OPENING or token == r"\begin") - closes
    return [_statement(sides, relations) for sides, relations in chains if sides != [[]]]


def _statement(sides: list, relations: list) -> Statement:
    if not sides[0]:
        # "= b", after a separator.
        sides, relations = sides[1:], relations[1:]
    if not all(sides):
        raise Unread("a relation with nothing on one side")
    return Statement(tuple(map(tuple, sides)), tuple(relations))


def _is_d(token: str) -> bool:
    return token in ("d", '"d', r"\partial")


def _is_name(token: str) -> bool:
    if token[0] == "\\":
        return token[1:] in GREEK or token in ACCENTS
    return token.removeprefix('"').replace("_", "").isalnum() and not token[0].isdigit()


def _is_number(side) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d+)?", "".join(side)))


def holds_derivative(side) -> bool:
    """Whether any derivative is written here: a curly d, d over d, dW, f', or a nabla."""
    if r"\int" in side:
        return False
    for at, token in enumerate(side):
        after = side[at + 1] if at + 1 < len(side) else ""
        if token in (r"\partial", r"\nabla", "'") or re.fullmatch(r'"d([A-Z]\w*|[a-z]\d*)', token):
            return True
        if token in ("d", '"d') and after and (_is_name(after) or after in ("(", r"\left")):
            return True
        if token == r"\frac" and re.match(r'\\frac\{"?d\}\{"?d', "".join(side[at:])):
            return True
    return False


# ---------------------------------------------------------------- reading: tokens -> nodes


class _Reader:
    """A recursive-descent parser; a node is a tuple that starts with its kind."""

    def __init__(self, side, point: Point):
        self.tokens, self.at, self.point = list(side), 0, point

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def take(self, token: str) -> bool:
        if self.peek() == token:
            self.at += 1
            return True
        return False

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise Unread(f"{token} expected before {text(self.tokens[self.at:]) or 'the end'}")

    def group(self) -> list[str]:
        """The tokens of {...}, or the one token that stands for it."""
        if self.peek() != "{":
            first = self.next()
            if first[0:1].isdigit() and len(first) > 1:
                # \\frac12 is a half.
                self.at -= 1
                self.tokens[self.at : self.at + 1] = [first[0], first[1:]]
                self.at += 1
            return [first[0:1] if first[0:1].isdigit() else first]
        end = _closing(self.tokens, self.at)
        inside = self.tokens[self.at + 1 : end]
        self.at = end + 1
        return inside

    def inside(self, side):
        """Another run of tokens, read as a whole."""
        return _Reader(side, self.point).whole()

    def whole(self):
        if not self.tokens:
            raise Unread("nothing where an expression is expected")
        node = self.sum()
        if self.at < len(self.tokens):
            raise Unread(text(self.tokens[self.at :]))
        return node

    def sum(self):
        sign = "neg" if self.take("-") else "pos" if self.take("+") else None
        node = self.term()
        node = ("neg", node) if sign == "neg" else node
        while self.peek() in ("+", "-"):
            kind = "add" if self.next() == "+" else "sub"
            node = (kind, node, self.term())
        return node

    def term(self):
        node = self.product()
        while self.peek() in (r"\odot", r"\circ"):
            self.next()
            node = ("entrywise", node, self.product())
        return node

    def product(self):
        node = self.factor()
        while True:
            if self.peek() in (r"\cdot", r"\times", "*"):
                self.next()
                # After a dot a minus can only be a sign.
                factor = ("neg", self.factor()) if self.take("-") else self.factor()
                node = ("times", node, factor)
            elif self.take("/"):
                node = ("over", node, self.factor())
            elif self.starts_factor():
                node = ("times", node, self.factor())
            else:
                return node

    def starts_factor(self) -> bool:
        token = self.peek()
        return bool(token) and (
            token in ("(", "[", "{", r"\frac", r"\sqrt", r"\sum", r"\ones", r"\|", r"\begin")
            or (token == "|" and not self.bar_open)
            or token[0].isdigit()
            or _is_name(token)
            or token[1:] in FUNCTIONS
        )

    bar_open = False

    def factor(self):
        node = self.atom()
        while self.peek() in ("^", "_", r"\at"):
            token = self.next()
            if token == "^":
                node = self.power(node, self.group())
            elif token == "_":
                node = ("entry", node, self.index(self.group()))
            else:
                name, equals, *value = self.group()
                if equals != "=":
                    raise Unread("| at " + text([name, equals, *value]))
                node = ("at", node, name, self.inside(value))
        return node

    def power(self, node, exponent):
        if exponent in (["T"], [r"\top"], ['"T']):
            return ("transpose", node)
        if exponent and set(exponent) == {"'"}:
            raise Unread("a prime on " + str(node[0]))
        return ("power", node, self.inside(exponent))

    def index(self, inside) -> tuple[str, ...]:
        indices = tuple(token for token in inside if token != ",")
        if not indices or not all(_is_name(token) or token == ":" or token.isdigit() for token in indices):
            raise Unread("the index " + text(inside))
        return indices

    def atom(self):
        token = self.next()
        if token[0:1].isdigit():
            return ("number", float(token))
        if token in OPENING:
            return self.bracket(token)
        if token in ("|", r"\|"):
            return self.bars(token)
        if token == r"\frac":
            return self.fraction()
        if token == r"\sqrt":
            if self.peek() == "[":
                raise Unread("a root other than the square root")
            return ("call", "sqrt", (self.inside(self.group()),))
        if token == r"\sum":
            return self.summation()
        if token == r"\ones":
            return self.condition() if self.peek() in ("[", r"\{") else ("ones",)
        if token == r"\begin":
            return self.cases()
        if _is_d(token) and token not in self.point.values and self.peek():
            return self.differential()
        if token[1:] in FUNCTIONS or _is_name(token):
            return self.named(token)
        raise Unread(token or "the end, where an expression is expected")

    def bracket(self, token):
        end = _closing(self.tokens, self.at - 1)
        inside = self.tokens[self.at : end]
        if token == "[" and any(t in INEQUALITIES or t == "=" for t in inside):
            self.at -= 1
            return self.condition()
        self.at = end + 1
        return self.inside(inside)

    def bars(self, token):
        if token not in self.tokens[self.at :]:
            raise Unread("a bar that does not close")
        end = self.tokens.index(token, self.at)
        node = ("call", "abs" if token == "|" else "norm", (self.inside(self.tokens[self.at : end]),))
        self.at = end + 1
        if token == r"\|" and self.peek() == "_" and self.peek(1) in ("2", "F"):
            self.at += 2
        return node

    def fraction(self):
        above, below = self.group(), self.group()
        if above and below and _is_d(above[0]) and _is_d(below[0]) and len(below) > 1:
            if "^" in (*above[1:2], *below[1:2]):
                raise Unread("a second derivative")
            by, index = self.by(below[1:])
            if len(above) > 1:
                return ("slope", self.inside(above[1:]), by, index)
            return ("slope", self.term(), by, index)
        return ("over", self.inside(above), self.inside(below))

    def by(self, side):
        node = self.inside(side)
        name, index = (node[1], node[2]) if node[0] == "entry" else (node, ())
        if name[0] != "name":
            raise Unread("a derivative by " + text(side))
        return name[1], index

    def differential(self):
        """dW, or dL/dw written on one line."""
        start = self.at
        self.name_tokens()
        if self.peek() == "/" and _is_d(self.peek(1)):
            above = self.tokens[start : self.at]
            self.at += 2
            below_start = self.at
            self.name_tokens()
            by, index = self.by(self.tokens[below_start : self.at])
            return ("slope", self.inside(above), by, index)
        by, index = self.by(self.tokens[start : self.at])
        return ("slope", ("name", self.point.model.loss), by, index)

    def name_tokens(self):
        """Step over a name and its index."""
        if not _is_name(self.peek()):
            raise Unread("d" + self.peek())
        if self.next() in ACCENTS:
            self.group()
        while self.peek() == "_" or (self.peek() == "^" and self.peek(1) == "{" and self.peek(2) in ("(", "[")):
            self.next()
            self.group()

    def summation(self):
        if not self.take("_"):
            raise Unread("a sum without its index")
        name, *start = self.group()
        bound = None
        if self.take("^"):
            bound = self.group()
        if start and start[0] not in ("=", ","):
            raise Unread("the sum over " + text([name, *start]))
        names = [name, *(token for token in start if token != ",")] if "=" not in start else [name]
        size = self.inside(bound) if bound else None
        if size and start != ["=", "1"]:
            raise Unread("a sum that does not start at 1")
        body = self.term()
        for each in reversed(names):
            body = ("sum", each, body, size)
        return body

    def condition(self):
        """[z > 0] as 1 or 0."""
        end = _closing(self.tokens, self.at)
        inside = self.tokens[self.at + 1 : end]
        self.at = end + 1
        return self.comparison(inside)

    def comparison(self, inside):
        for at, token in enumerate(inside):
            if token in INEQUALITIES or token == "=":
                left, right = inside[:at], inside[at + 1 :]
                indices = len(left) == len(right) == 1 and not {*left, *right} & {*self.point.values}
                if indices and token in ("=", r"\ne"):
                    return ("same" if token == "=" else "differ", left[0], right[0])
                return ("compare", INEQUALITIES.get(token, "=="), self.inside(left), self.inside(right))
        raise Unread("the condition " + text(inside))

    def cases(self):
        if self.group() != list("cases"):
            raise Unread(r"\begin")
        end = next(k for k in range(self.at, len(self.tokens)) if self.tokens[k] == r"\end")
        rows, row = [], []
        for token in [*self.tokens[self.at : end], r"\\"]:
            if token == r"\\":
                rows += [row] if row else []
                row = []
            else:
                row.append(token)
        self.at = end + 1
        self.group()
        return ("cases", tuple(self.case(row) for row in rows))

    def case(self, row):
        """`value if condition`, or `value otherwise`."""
        row = [token for token in row if token not in (",", ".")]
        at = next((k for k, token in enumerate(row) if token[0] == '"'), len(row) - 1)
        word = row[at].strip('".,')
        if word in ("if", "for", "where", "when"):
            return self.inside(row[:at]), self.comparison(row[at + 1 :])
        if word in ("otherwise", "else"):
            return self.inside(row[:at]), ("number", 1.0)
        raise Unread("the case " + text(row))

    def named(self, token):
        """A name with its sub- and superscripts, and what follows it where it is a function."""
        if token in ACCENTS:
            base = "".join(t.removeprefix("\\") for t in self.group()) + "_" + token[1:]
        else:
            base = token.lstrip('\\"')
        base, index = self.scripts({"lambda": "lam"}.get(base, base))
        primes = 0
        while self.take("'") or (self.peek() == "^" and self.peek(1) == "'" and self.take("^") and self.take("'")):
            primes += 1
        if self.peek() == "^" and self.peek(1) == "{" and self.peek(2) == "'":
            raise Unread("a prime written as a power")
        if primes > 1:
            raise Unread("a second derivative")
        node = self.known(base, primes)
        if index:
            node = ("entry", node, index)
        return node

    def known(self, base, primes):
        values, functions = self.point.values, {**FUNCTIONS, **self.point.model.functions}
        if base in values:
            defined = self.point.model.definitions.get(base)
            needs = parameters(defined) if defined else []
            called = self.plain_arguments() if self.peek() == "(" else None
            if called and called == [need for need in needs if need in values]:
                self.at = _closing(self.tokens, self.at) + 1
            elif primes and called:
                raise Unread(f"{base}' of something other than {', '.join(needs)}")
            if primes:
                inputs = [need for need in needs if need in values]
                if len(inputs) != 1:
                    raise Unread(f"{base}', since {base} depends on {', '.join(inputs) or 'nothing'}")
                return ("slope", ("name", base), inputs[0], ())
            return ("name", base)
        if base in functions and (primes or self.peek() in ("(", "{", "^") or base != "e"):
            return self.application(base, primes)
        if re.fullmatch(r"d\w+", base) and base[1:] in values:
            return ("slope", ("name", self.point.model.loss), base[1:], ())
        if base == "e":
            if self.take("^"):
                return ("call", "exp", (self.inside(self.group()),))
            return ("number", math.e)
        if base == "pi":
            return ("number", math.pi)
        if base == "delta" and self.peek() == "_":
            self.next()
            index = self.index(self.group())
            if len(index) == 2:
                return ("same", *index)
        if base in SIZES:
            return ("number", float(SIZES[base]))
        raise Unread(f"{base}, which the model does not have")

    def plain_arguments(self):
        inside = self.tokens[self.at + 1 : _closing(self.tokens, self.at)]
        found = "".join(token.lstrip('\\"') for token in inside if token != "_").split(",")
        return [{"lambda": "lam"}.get(name, name) for name in found]

    def scripts(self, base):
        """Digits, words and layer numbers belong to the name; letters are indices."""
        known = {*self.point.values, *self.point.model.functions}
        while self.peek() in ("_", "^"):
            mark, start = self.next(), self.at
            inside = self.group()
            if mark == "^" and len(inside) >= 3 and inside[0] in ("(", "["):
                inside = inside[1:-1]
            elif mark == "^":
                self.at = start - 1
                break
            word = "".join(token.removeprefix('"') for token in inside)
            name = next((name for name in (base + word, f"{base}_{word}") if name in known), None)
            digits = re.match(r"\d+", word)
            if name:
                base = name
            elif digits and base + digits[0] in known:
                return base + digits[0], self.index(inside[1:])
            elif base == "delta":
                self.at = start - 1
                break
            else:
                return base, self.index(inside)
        return base, ()

    def application(self, base, primes):
        """f(z), f'(z), f^2(z), or f and the one factor after it."""
        power = None
        if self.peek() == "^":
            self.next()
            power = self.group()
            if power == ["'"]:
                primes, power = 1, None
        if self.peek() in ("(", "{", "["):
            end = _closing(self.tokens, self.at)
            inside = self.tokens[self.at + 1 : end]
            self.at = end + 1
            arguments = tuple(self.inside(part) for part in _split(inside))
        else:
            first = self.peek()
            arguments = (self.factor(),)
            if first[0:1].isdigit() and self.starts_factor():
                raise Unread(f"{base} of more than one factor without brackets")
        if primes:
            node = ("prime", base, arguments)
        else:
            node = ("call", base, arguments)
        return ("power", node, self.inside(power)) if power else node


def _split(side):
    """At the commas outside brackets."""
    parts, depth = [[]], 0
    for token in side:
        depth += token in OPENING
        depth -= token in CLOSING
        if token == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


# ---------------------------------------------------------------- evaluating: nodes -> numbers


class _Ones:
    """A vector of ones, as long as it must be."""


def _evaluate(node, point: Point, at: dict):
    """The value of a node, `at` an entry: a dict of index name -> number."""
    kind, *parts = node
    return _RULES[kind](point, at, *parts)


def _rule_times(point, at, left, right):
    a, b = _evaluate(left, point, at), _evaluate(right, point, at)
    if isinstance(a, _Ones):
        return np.sum(b, axis=0)
    if isinstance(b, _Ones):
        return np.sum(a, axis=-1)
    if not np.ndim(a) or not np.ndim(b):
        return a * b
    if np.ndim(a) == np.ndim(b) == 1:
        raise Unread("a product of two vectors, which may be a dot or entry by entry")
    if np.ndim(a) == 1 and np.ndim(b) == 2 and b.shape[0] == 1:
        return np.outer(a, b)
    if np.shape(a)[-1] != np.shape(b)[0]:
        raise Misread(f"shapes {np.shape(a)} and {np.shape(b)} do not fit in a product")
    product = a @ b
    return product[0] if product.shape == (1,) else product


def _rule_entrywise(point, at, left, right):
    a, b = _evaluate(left, point, at), _evaluate(right, point, at)
    if np.shape(a) != np.shape(b):
        raise Misread(f"entry by entry, shapes {np.shape(a)} and {np.shape(b)} do not match")
    return a * b


def _rule_transpose(point, at, inner):
    value = _evaluate(inner, point, at)
    if isinstance(value, _Ones):
        return value
    return value[None, :] if np.ndim(value) == 1 else np.transpose(value)


def _rule_entry(point, at, inner, index):
    value = _evaluate(inner, point, at)
    if np.ndim(value) < len(index):
        raise Unread(f"{len(index)} indices on {np.ndim(value)} axes")
    return value[_place(index, at)]


def _place(index, at: dict) -> tuple:
    """Where the indices point: a colon is a whole axis, a digit counts from 0 as in code."""
    return tuple(slice(None) if i == ":" else int(i) if i.isdigit() else at[i] for i in index)


def _rule_sum(point, at, name, body, size):
    length = _ranges(("sum", name, body, size), point)[name]
    if size is not None and _evaluate(size, point, at) != length:
        raise Misread(f"the sum over {name} has {length} terms, not {_evaluate(size, point, at):g}")
    return sum(_evaluate(body, point, {**at, name: k}) for k in range(length))


def _rule_slope(point, at, of, by, index):
    free = tuple(at[i] for i in _indices(of))
    value = _evaluate(of, point, at)
    if np.ndim(value):
        raise Unread("the derivative of an array by an array, without indices")
    name = of[1] if of[0] == "name" else of[1][1] if of[0] == "entry" and of[1][0] == "name" else repr(of)
    whole = point.slope(lambda p: _evaluate(of, p, at), by, (name, free))
    return whole[_place(index, at)]


def _rule_prime(point, at, name, arguments):
    if len(arguments) != 1:
        raise Unread(f"{name}' of {len(arguments)} arguments")
    call = _function(point, name)
    z = np.asarray(_evaluate(arguments[0], point, at), dtype=float)
    return Point(model(z=lambda: z), {"z": z}).slope(lambda p: np.sum(call(p.values["z"])), "z")[()]


def _rule_call(point, at, name, arguments):
    return _function(point, name)(*(_evaluate(argument, point, at) for argument in arguments))


def _function(point, name):
    more = {
        "sqrt": np.sqrt,
        "abs": lambda z: np.where(np.real(z) < 0, -z, z),
        "norm": lambda z: np.sqrt(np.sum(z * z)),
    }
    return {**FUNCTIONS, **more, **point.model.functions}[name]


def _rule_compare(point, at, how, left, right):
    a, b = np.real(_evaluate(left, point, at)), np.real(_evaluate(right, point, at))
    return _COMPARISONS[how](a, b) * 1.0


_COMPARISONS = {
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def _rule_cases(point, at, rows):
    value = None
    for row, condition in reversed(rows):
        row, holds = _evaluate(row, point, at), _evaluate(condition, point, at)
        value = row if value is None else np.where(holds, row, value)
    return value


def _rule_at(point, at, inner, name, value):
    if disagreement(point[name], _evaluate(value, point, at)) > 1e-12:
        raise Misread(f"the formula is taken at {name} = {_evaluate(value, point, at):g}, the model at {point[name]:g}")
    return _evaluate(inner, point, at)


def _both(combine):
    def rule(point, at, left, right):
        a, b = _evaluate(left, point, at), _evaluate(right, point, at)
        try:
            return combine(a, b)
        except ValueError:
            raise Misread(f"shapes {np.shape(a)} and {np.shape(b)} do not fit together") from None

    return rule


_RULES = {
    "number": lambda point, at, value: value,
    "name": lambda point, at, name: point.values[name],
    "ones": lambda point, at: _Ones(),
    "neg": lambda point, at, inner: -_evaluate(inner, point, at),
    "add": _both(lambda a, b: a + b),
    "sub": _both(lambda a, b: a - b),
    "over": _both(lambda a, b: a / b),
    "power": _both(lambda a, b: a**b),
    "same": lambda point, at, i, j: float(at[i] == at[j]),
    "differ": lambda point, at, i, j: float(at[i] != at[j]),
    "times": _rule_times,
    "entrywise": _rule_entrywise,
    "transpose": _rule_transpose,
    "entry": _rule_entry,
    "sum": _rule_sum,
    "slope": _rule_slope,
    "prime": _rule_prime,
    "call": _rule_call,
    "compare": _rule_compare,
    "cases": _rule_cases,
    "at": _rule_at,
}


def _children(node):
    for part in node[1:]:
        if isinstance(part, tuple) and part and isinstance(part[0], str) and part[0] in _RULES:
            yield part
        elif isinstance(part, tuple):
            yield from (inner for inner in part if isinstance(inner, tuple) and inner)


def _indices(node) -> list[str]:
    """Free indices in the order in which they are first written."""
    if node[0] == "entry":
        found = [*_indices(node[1]), *node[2]]
    elif node[0] == "slope":
        found = [*_indices(node[1]), *node[3]]
    elif node[0] in ("same", "differ"):
        found = list(node[1:])
    elif node[0] == "sum":
        found = [i for i in _indices(node[2]) if i != node[1]]
    elif node[0] == "cases":
        found = [i for row in node[1] for part in row for i in _indices(part)]
    else:
        found = [i for child in _children(node) for i in _indices(child)]
    return [i for i in dict.fromkeys(found) if i != ":" and not i.isdigit()]


def _ranges(node, point: Point) -> dict[str, int]:
    """How far each index runs, from the axes it stands on; Misread where two axes disagree."""
    found = {}

    def note(index, shape):
        if len(index) > len(shape):
            raise Unread(f"{len(index)} indices on {len(shape)} axes")
        for name, size in zip(index, shape, strict=False):
            if name != ":" and not name.isdigit() and found.setdefault(name, size) != size:
                raise Misread(f"the index {name} stands on axes of {found[name]} and of {size}")

    def walk(node):
        if node[0] == "entry":
            free = dict.fromkeys(_indices(node[1]), 0)
            note(node[2], np.shape(_evaluate(node[1], point, free)))
        if node[0] == "slope":
            note(node[3], np.shape(point[node[2]]))
        if node[0] == "cases":
            for row in node[1]:
                for part in row:
                    walk(part)
        for child in _children(node):
            walk(child)

    walk(node)
    return found


def values(statement: Statement, point: Point) -> list:
    """The value of each side of a statement; an axis for each free index, in the order of the first side."""
    try:
        nodes = [_Reader(side, point).whole() for side in statement.sides]
    except (IndexError, StopIteration) as error:
        raise Unread("an end too early") from error
    try:
        with np.errstate(all="ignore"):
            return _values(nodes, point)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, (Unread, Misread)):
            raise
        raise Misread(f"{type(error).__name__}: {error}") from error


def _values(nodes, point: Point) -> list:
    free = list(dict.fromkeys(index for node in nodes for index in _indices(node)))
    ranges = {}
    for node in nodes:
        for name, size in _ranges(node, point).items():
            if ranges.setdefault(name, size) != size:
                raise Misread(f"the index {name} runs over {ranges[name]} on one side and over {size} on another")
    if lost := [index for index in free if index not in ranges]:
        raise Unread(f"the index {', '.join(lost)}, which runs over nothing")
    shape = [ranges[index] for index in free]
    found = []
    for node in nodes:
        entries = [_evaluate(node, point, dict(zip(free, at, strict=True))) for at in np.ndindex(*shape)]
        if any(isinstance(entry, _Ones) for entry in entries):
            raise Unread("a vector of ones alone")
        found.append(np.reshape(np.array(entries, dtype=float), shape + list(np.shape(entries[0]))))
    return found


def rounding(side) -> float:
    """Half a unit of the last digit of a printed number; Unread where the side is no number."""
    if not _is_number(side):
        raise Unread(r"\approx before anything but a number")
    decimals = len("".join(side).partition(".")[2])
    return 0.5001 * 10.0**-decimals
