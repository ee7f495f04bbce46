"""What a mutant is, and which are made of a module.

A mutant is the module with one small fault in it, of the kind that slips into a program:
a bound that is off by one, a condition that was forgotten, a statement that is missing.
If no test fails, the tests do not hold what that place is for; or nothing needs it.

Those that say little are not made. Of ``a and b`` each half is left out, but ``or`` is not tried:
whoever notices the one notices the other.
And a few are left out by rule, because no test of behaviour should tell them apart:

- annotations, `typing.cast`, `typing.final`, `typing.assert_never`, `__all__`, `__slots__`:
  for readers and checkers; what is public, and that nothing has a ``__dict__``, other tests hold;
- text with a space in it, and docstrings: wording, which is to stay free;
- how many entries an ``lru_cache`` has, and the constants in `TUNING`: speed, and nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

TUNING = frozenset(
    {
        # _batches, _framer: from how much on one way is faster than another, or takes less memory
        "FIRST_WINDOW",
        "LAST_WINDOW",
        "MANY_FRAMES",
        "MOST_PATIENCE",
        "MOST_PIECES",
        "SHORT_REST",
        "SINGLE_FRAMES",
        "SMALL_BUFFER",
        "SMALL_PIECE",
        # _delimiters, _scanners: the same
        "LONG_LINE",
        "MANY_RECORDS",
        "SIMILAR_BYTES",
    }
)
"""Constants that change how fast something comes out, and never what."""

DECLARATIONS = frozenset({"__all__", "__slots__"})

MISSING = ast.Pass()

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Sub: ast.Add,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
ASSIGNED: dict[type[ast.operator], type[ast.operator]] = {
    **COMPUTED,
    ast.Add: ast.Sub,
    ast.Mult: ast.FloorDiv,
}
CALLED = {
    "find": "rfind",
    "startswith": "endswith",
    "endswith": "startswith",
    "split": "rsplit",
    "append": "appendleft",
    "appendleft": "append",
    "popleft": "pop",
    "any": "all",
    "max": "min",
    "min": "max",
}
CONVERSIONS = frozenset({"bytes", "copy", "int", "iter", "list", "memoryview", "tuple"})

Node: TypeAlias = ast.AST


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """One fault, and where to put it."""

    module: str
    function: str  # its qualified name, or "" outside of all
    lines: range  # of the statement
    before: str
    after: str
    code: tuple[str, int] | None  # the function whose body it is in: qualified name, first line
    tree: ast.Module = field(repr=False)
    owner: Any = field(repr=False)  # the node, or the list in one, that is to be changed …
    key: Any = field(repr=False)  # … at this attribute or index …
    put: Node = field(repr=False)  # … to this

    @property
    def line(self) -> int:
        """Where it starts."""
        return self.lines[0]

    @property
    def name(self) -> str:
        """What it is called; lines come and go, so they are no part of it."""
        return f"{self.function or 'module'}: {self.before} → {self.after}"

    def compile(self, path: str) -> Any:
        """Compile the module with the fault in it."""
        held = get(self.owner, self.key)
        put = ast.copy_location(self.put, held) if "lineno" not in vars(self.put) else self.put
        put_at(self.owner, self.key, ast.fix_missing_locations(put))
        try:
            return compile(self.tree, path, "exec")
        finally:
            put_at(self.owner, self.key, held)


def get(owner: Any, key: Any) -> Any:
    """Read an attribute of a node, or an item of a list of them."""
    return owner[key] if isinstance(key, int) else getattr(owner, key)


def put_at(owner: Any, key: Any, value: Any) -> None:
    """Change it."""
    if isinstance(key, int):
        owner[key] = value
    else:
        setattr(owner, key, value)


def mutants(module: str, source: str) -> list[Mutant]:
    """Make all mutants of a module, in the order of its lines."""
    maker = Maker(module, ast.parse(source))
    maker.visit_children(maker.tree)
    return maker.made


class Maker:
    """A walk through a module, with what has to be known of the places around the one."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self.module = module
        self.tree = tree
        self.made: list[Mutant] = []
        self.nodes: list[Node] = []  # around this one, in the same function or class
        self.names: list[str] = []
        self.code: tuple[str, int] | None = None
        self.assigned: list[list[str]] = []  # in the function: each name as often as it is
        self.seen: set[str] = set()

    def visit_children(self, node: Node, *, but: frozenset[str] = frozenset()) -> None:
        """Go on with what a node is made of."""
        for name, value in ast.iter_fields(node):
            if name in but:
                continue
            if isinstance(value, list):
                for index, item in enumerate(cast("list[object]", value)):
                    if isinstance(item, ast.AST):
                        self.visit(item, value, index)
            elif isinstance(value, ast.AST):
                self.visit(value, node, name)

    def visit(self, node: Node, owner: Any, key: Any) -> None:
        """Make the mutants of one node, and of all within."""
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            self.visit_definition(node, owner, key)
            return
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "cast":
            self.visit(node.args[1], node.args, 1)
            return
        if isinstance(node, ast.JoinedStr) and " " in ast.unparse(node):
            for index, part in enumerate(node.values):
                if isinstance(part, ast.FormattedValue):
                    self.visit(part, node.values, index)
            return
        but = left_out(node)
        if but is None:
            return
        if not self.is_redundant(node):
            for put in self.faults(node):
                self.make(node, owner, key, put, before=self.around(node))
        self.nodes.append(node)
        self.visit_children(node, but=but)
        self.nodes.pop()

    def visit_body(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        """Go through the statements of a function or a class."""
        for index, statement in enumerate(node.body):
            self.visit(statement, node.body, index)

    def is_redundant(self, node: Node) -> bool:
        """Whether it is a whole condition, to turn round: that it be true or false is tried."""
        outer = self.nodes[-1] if self.nodes else None
        if not isinstance(outer, (ast.If, ast.IfExp)) or outer.test is not node:
            return False
        turned = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
        return isinstance(node, ast.UnaryOp) or (
            isinstance(node, ast.Compare) and isinstance(node.ops[0], turned)
        )

    def lines_of(self, node: Any) -> range:
        """Say which lines run when the node does: those of its statement, but for a body."""
        inner: Any = next(n for n in (node, *reversed(self.nodes)) if isinstance(n, ast.stmt))
        first: int = inner.lineno
        last: int = inner.body[0].lineno - 1 if hasattr(inner, "body") else inner.end_lineno
        return range(first, max(first, last) + 1)

    def around(self, node: Node) -> str:
        """Say where a constant stands, for by itself it could be anywhere."""
        outer = self.nodes[-1] if self.nodes else node
        if isinstance(outer, ast.UnaryOp) and len(self.nodes) > 1:
            outer = self.nodes[-2]
        return f"{said(node)} in {said(outer)}" if isinstance(node, ast.Constant) else ""

    def visit_definition(self, node: ast.FunctionDef | ast.ClassDef, owner: Any, key: Any) -> None:
        """Go into a function or a class."""
        self.names.append(node.name)
        around = self.nodes
        self.nodes = [node]
        for index, decorator in enumerate(node.decorator_list):
            if "final" not in ast.unparse(decorator):
                others = [*node.decorator_list[:index], *node.decorator_list[index + 1 :]]
                bare = copy_of(node, decorator_list=others)
                self.make(node, owner, key, bare, before=f"@{said(decorator)}", after="nothing")
        if isinstance(node, ast.FunctionDef):
            parameters = [part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)]
            self.assigned.append([*parameters, *stored(node)])
        self.visit_children(node, but=frozenset({"returns", "body"}))
        if isinstance(node, ast.FunctionDef) and self.code is None:
            first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
            self.code = (".".join(self.names), first)
            self.visit_body(node)
            self.code = None
        else:
            self.visit_body(node)
        if isinstance(node, ast.FunctionDef):
            self.assigned.pop()
        self.names.pop()
        self.nodes = around

    def make(
        self, node: Any, owner: Any, key: Any, put: Node, *, before: str = "", after: str = ""
    ) -> None:
        """Take note of a mutant."""
        after = after or ("nothing" if isinstance(put, ast.Pass) else said(put))
        before = before or said(node)
        if before == after:
            return
        function = ".".join(self.names)
        mutant = Mutant(
            self.module,
            function,
            self.lines_of(node),
            before,
            after,
            self.code,
            self.tree,
            owner,
            key,
            put,
        )
        count = 1
        while mutant.name in self.seen:  # the same once more in the same function
            count += 1
            mutant = replace(mutant, before=f"{before} ({count})")
        self.seen.add(mutant.name)
        self.made.append(mutant)

    def faults(self, node: Node) -> Iterator[Node]:
        """Give what may stand in the place of a node."""
        kind = type(node)
        while kind not in FAULTS and kind is not ast.AST:
            kind = kind.__base__  # type: ignore[assignment] # there is one, up to AST
        if kind is not ast.AST:
            yield from FAULTS[kind](node)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and self.can_be_missing(node):
            yield MISSING

    def can_be_missing(self, node: ast.Assign | ast.AnnAssign) -> bool:
        """Whether there is something to see, other than a name that is not there."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is None:
            return False
        names = [name for target in targets for name in stored(target)]
        known = self.assigned[-1] if self.assigned else []
        return all(known.count(name) > 1 for name in names)


def left_out(node: Node) -> frozenset[str] | None:
    """Say which parts of a node are left as they are; None: all of it."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return None
        case ast.Expr(value=ast.Constant()):  # a docstring, or the body of a protocol's method
            return None
        case ast.Assign(targets=[ast.Name(id=name)]) if name in DECLARATIONS | TUNING:
            return None
        case ast.AnnAssign(target=ast.Name(id=name)) if name in TUNING:
            return None
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return None
        case ast.AnnAssign() | ast.arg():
            return frozenset({"annotation"})
        case ast.If(test=test) if "TYPE_CHECKING" in ast.unparse(test):
            return frozenset({"test"})
        case ast.Call(func=ast.Name(id="TypeVar" | "lru_cache")):
            return None
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            return None
        case _:
            return frozenset()


def stored(node: Node) -> list[str]:
    """Name what is assigned to, as often as it is."""
    return [
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    ]


def said(node: Any) -> str:
    """Write a node down, in one line that is not too long."""
    if hasattr(node, "said"):
        return str(node.said)
    lines = ast.unparse(node).splitlines()
    text = lines[0].strip() + (" …" if len(lines) > 1 else "")
    return text if len(text) <= 100 else text[:99] + "…"


def copy_of(node: Any, **changes: Any) -> Any:
    """Copy a node, with some of its parts exchanged."""
    parts = {name: getattr(node, name) for name in node._fields if hasattr(node, name)}
    return ast.copy_location(type(node)(**{**parts, **changes}), node)


def constant(value: bool | bytes | int | str | None) -> ast.Constant:
    """Make a node of a value."""
    return ast.Constant(value=value)


# -- Faults, for each kind of node -----------------------------------------------------------


def of_constant(node: ast.Constant) -> Iterator[Node]:
    """Off by one, the opposite, or nothing."""
    value = node.value
    if isinstance(value, bool):
        yield constant(not value)
    elif isinstance(value, int):
        yield constant(value + 1)
        yield constant(value - 1)
    elif isinstance(value, bytes):
        yield constant(b"" if value else b"?")
    elif isinstance(value, str) and " " not in value:
        yield constant("" if value else "?")


def of_compare(node: ast.Compare) -> Iterator[Node]:
    """A bound that takes one more or one less; the opposite."""
    for index, op in enumerate(node.ops):
        other = COMPARED[type(op)]()
        yield copy_of(node, ops=[*node.ops[:index], other, *node.ops[index + 1 :]])


def of_bool_op(node: ast.BoolOp) -> Iterator[Node]:
    """One of the conditions was forgotten."""
    for index in range(len(node.values)):
        values = [*node.values[:index], *node.values[index + 1 :]]
        yield values[0] if len(values) == 1 else copy_of(node, values=values)


def of_bin_op(node: ast.BinOp) -> Iterator[Node]:
    """Another operator, or one side alone."""
    if type(node.op) in COMPUTED:
        yield copy_of(node, op=COMPUTED[type(node.op)]())
    yield node.left
    if isinstance(node.op, (ast.Add, ast.Mult, ast.BitOr)):
        yield node.right


def of_unary_op(node: ast.UnaryOp) -> Iterator[Node]:
    """The operator was forgotten."""
    yield node.operand


def of_call(node: ast.Call) -> Iterator[Node]:
    """Another function, one argument less, or the argument itself."""
    match node.func:
        case ast.Name(id=name) if name in CALLED:
            yield copy_of(node, func=ast.Name(CALLED[name], ast.Load()))
            if name in {"max", "min"} and not node.keywords and len(node.args) > 1:
                yield from node.args
        case ast.Name(id=name) if name in CONVERSIONS and len(node.args) == 1:
            yield node.args[0]
        case ast.Attribute(attr=name) if name in CALLED:
            yield copy_of(node, func=copy_of(node.func, attr=CALLED[name]))
        case _:
            pass
    if len(node.args) > 1:
        yield copy_of(node, args=node.args[:-1])
    for index in range(len(node.keywords)):
        yield copy_of(node, keywords=[*node.keywords[:index], *node.keywords[index + 1 :]])


def of_subscript(node: ast.Subscript) -> Iterator[Node]:
    """A slice with one bound less."""
    if isinstance(node.slice, ast.Slice):
        if node.slice.lower is not None:
            yield copy_of(node, slice=copy_of(node.slice, lower=None))
        if node.slice.upper is not None:
            yield copy_of(node, slice=copy_of(node.slice, upper=None))


def of_if(node: Any) -> Iterator[Node]:
    """Always, or never."""
    if not isinstance(node.test, ast.Constant) and "TYPE_CHECKING" not in ast.unparse(node.test):
        yield copy_of(node, test=constant(value=True))
        yield copy_of(node, test=constant(value=False))


def of_while(node: ast.While) -> Iterator[Node]:
    """Not at all."""
    yield copy_of(node, test=constant(value=False))


def of_for(node: ast.For) -> Iterator[Node]:
    """Not at all."""
    yield copy_of(node, iter=ast.Tuple([], ast.Load()))


def of_comprehension(node: Any) -> Iterator[Node]:
    """All of them, where some were meant."""
    for index, part in enumerate(node.generators):
        for number in range(len(part.ifs)):
            fewer = copy_of(part, ifs=[*part.ifs[:number], *part.ifs[number + 1 :]])
            yield copy_of(
                node, generators=[*node.generators[:index], fewer, *node.generators[index + 1 :]]
            )


def of_return(node: ast.Return) -> Iterator[Node]:
    """Nothing comes back, or it goes on."""
    if node.value is None:
        yield MISSING
    elif not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield copy_of(node, value=constant(None))


def of_statement(_: ast.stmt) -> Iterator[Node]:
    """It was forgotten."""
    yield MISSING


def of_raise(node: ast.Raise) -> Iterator[Node]:
    """It was forgotten, or the cause was."""
    yield MISSING
    if node.cause is not None and not isinstance(node.cause, ast.Constant):
        yield copy_of(node, cause=None)


def of_aug_assign(node: ast.AugAssign) -> Iterator[Node]:
    """It was forgotten, goes the other way, or forgets what was there."""
    yield MISSING
    if type(node.op) in ASSIGNED:
        yield copy_of(node, op=ASSIGNED[type(node.op)]())
    yield ast.copy_location(ast.Assign([node.target], node.value), node)


def of_continue(node: ast.Continue) -> Iterator[Node]:
    """The loop ends."""
    yield ast.copy_location(ast.Break(), node)


def of_try(node: ast.Try) -> Iterator[Node]:
    """An error is not caught, or what is to happen in any case does not."""
    for index, handler in enumerate(node.handlers):
        nothing = copy_of(handler, type=ast.Tuple([], ast.Load()))
        kinds = [nothing]
        if isinstance(handler.type, ast.Name) and handler.type.id == "BaseException":
            kinds.append(copy_of(handler, type=ast.Name("Exception", ast.Load())))
        for kind in kinds:
            handlers = [*node.handlers[:index], kind, *node.handlers[index + 1 :]]
            other = copy_of(node, handlers=handlers)
            other.said = f"{said(handler)} → {said(kind)}"
            yield other
    if node.finalbody:
        body: list[ast.stmt] = [*node.body]
        if node.handlers:
            body = [copy_of(node, finalbody=[])]
        yield ast.copy_location(ast.If(constant(value=True), [*body, *node.finalbody], []), node)


def of_with(node: ast.With) -> Iterator[Node]:
    """The block stands alone."""
    if all(item.optional_vars is None for item in node.items):
        yield ast.copy_location(ast.If(constant(value=True), node.body, []), node)


def of_match(node: ast.Match) -> Iterator[Node]:
    """A case was forgotten."""
    if len(node.cases) > 1:
        for index in range(len(node.cases)):
            other = copy_of(node, cases=[*node.cases[:index], *node.cases[index + 1 :]])
            other.said = f"{said(node.cases[index])} is missing"
            yield other


def of_lambda(node: ast.Lambda) -> Iterator[Node]:
    """It gives nothing."""
    yield copy_of(node, body=constant(None))


FAULTS: dict[type[Any], Callable[[Any], Iterator[Node]]] = {
    ast.Constant: of_constant,
    ast.Compare: of_compare,
    ast.BoolOp: of_bool_op,
    ast.BinOp: of_bin_op,
    ast.UnaryOp: of_unary_op,
    ast.Call: of_call,
    ast.Subscript: of_subscript,
    ast.If: of_if,
    ast.IfExp: of_if,
    ast.While: of_while,
    ast.For: of_for,
    ast.ListComp: of_comprehension,
    ast.SetComp: of_comprehension,
    ast.GeneratorExp: of_comprehension,
    ast.Return: of_return,
    ast.Expr: of_statement,
    ast.Delete: of_statement,
    ast.Break: of_statement,
    ast.Raise: of_raise,
    ast.AugAssign: of_aug_assign,
    ast.Continue: of_continue,
    ast.Try: of_try,
    ast.With: of_with,
    ast.Match: of_match,
    ast.Lambda: of_lambda,
}
