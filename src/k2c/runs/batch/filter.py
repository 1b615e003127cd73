"""The filter of a batch: a comparison of parameters, checked before it is evaluated.

A batch file comes from anybody, so its filter may compare and calculate and nothing else: no calls, no attributes, and
no expression whose result grows without bound (a power is a floating-point number, text takes no arithmetic).
"""

import ast
import math
from collections.abc import Callable, Mapping, Sequence

from k2c._system.printable import printable
from k2c.course.syllabus import Value
from k2c.errors import K2CError, unknown

LONGEST = 1_000  # characters
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_WORDS: dict[type, str] = {
    ast.BitAnd: "and in place of &",
    ast.BitOr: "or in place of |",
    ast.Invert: "not in place of ~",
}


def make_filter(text: str, example: Mapping[str, Value]) -> Callable[[Mapping[str, Value]], bool]:
    """Return a function that tells whether a setting is kept.

    Parameters
    ----------
    text
        Parameters, numbers, text in quotes and lists of them with `< <= > >= == != in`, `and or not` and
        `+ - * / // % **`.
    example
        A setting: the names of the parameters, and by their values whether they are text.

    Raises
    ------
    K2CError
        When the text is anything else. The function raises it where a setting cannot be calculated.
    """
    shown = printable(text if len(text) <= 80 else text[:79] + "…")
    text = text.replace("\n", " ").strip()
    try:
        if len(text) > LONGEST:
            raise _Refused(f"it has {len(text):,} characters, and {LONGEST:,} are the most")
        tree = ast.parse(text, mode="eval")
        if _kind(tree.body, example) != "truth":
            raise _Refused("it gives a value, and compares nothing")
        code = compile(ast.fix_missing_locations(_Powers().visit(tree)), "<filter>", "eval")
    except (_Refused, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        deep = isinstance(error, RecursionError | MemoryError)
        reason = "it is nested too deeply" if deep else getattr(error, "msg", str(error))
        raise K2CError(
            f"The filter '{shown}' is no comparison of parameters such as `epochs <= 5 and momentum > 0`: "
            f"{reason.rstrip('.')}."
        ) from error

    def keeps(setting: Mapping[str, Value]) -> bool:
        try:
            return bool(eval(code, {"__builtins__": {}, "_power": math.pow}, dict(setting)))
        except (ArithmeticError, TypeError, ValueError) as error:
            at = ", ".join(f"{name} = {setting[name]}" for name in code.co_names if name in setting)
            where = f" for {printable(at)}" if at else ""
            raise K2CError(f"The filter '{shown}' cannot be calculated{where}: {error}.") from error

    return keeps


class _Refused(Exception):
    pass


class _Powers(ast.NodeTransformer):
    """A power of whole numbers may have a billion digits; one of floating-point numbers overflows at once."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Pow):
            return node
        return ast.Call(ast.Name("_power", ast.Load()), [node.left, node.right], [])


def _kind(node: ast.expr, names: Mapping[str, Value]) -> str:
    """Return whether an expression is a `number`, `text` or a `truth`."""
    if isinstance(node, ast.Constant):
        return _kind_of_value(node.value)
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise _Refused(unknown("parameter", node.id, names))
        return _kind_of_value(names[node.id])
    if isinstance(node, ast.BoolOp):
        return _all("truth", node.values, names, "and and or stand between comparisons")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _all("truth", [node.operand], names, "not stands before a comparison")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        return _all("number", [node.operand], names, "only numbers have a sign")
    if isinstance(node, ast.BinOp) and isinstance(node.op, _ARITHMETIC):
        return _all("number", [node.left, node.right], names, "only numbers can be calculated with")
    if isinstance(node, ast.Compare):
        return _comparison(node, names)
    operator = getattr(node, "op", None)
    if type(operator) in _WORDS:
        raise _Refused(f"write {_WORDS[type(operator)]}")
    raise _Refused(f"`{printable(ast.unparse(node))[:60]}` is neither a comparison nor a calculation")


def _kind_of_value(value: object) -> str:
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    raise _Refused(f"{printable(value)} is neither a number nor text")


def _all(kind: str, nodes: Sequence[ast.expr], names: Mapping[str, Value], otherwise: str) -> str:
    for node in nodes:
        if _kind(node, names) != kind:
            raise _Refused(f"`{printable(ast.unparse(node))[:60]}` is no {kind}, and {otherwise}")
    return kind


def _comparison(node: ast.Compare, names: Mapping[str, Value]) -> str:
    left = _kind(node.left, names)
    for operator, right in zip(node.ops, node.comparators, strict=True):
        inside = isinstance(operator, ast.In | ast.NotIn)
        if inside and not isinstance(right, ast.List | ast.Tuple | ast.Set):
            raise _Refused("in takes a list, as in `epochs in [1, 2]`")
        if not inside and not isinstance(operator, _COMPARISONS):
            raise _Refused("write == in place of is")
        if inside and len(node.ops) > 1:
            raise _Refused("in stands in a comparison of its own: join comparisons with and")
        others = right.elts if inside else [right]  # type: ignore[attr-defined]
        wrong = [other for other in others if _kind(other, names) != left]
        if wrong:
            texts = (printable(ast.unparse(each))[:60] for each in (node.left, wrong[0]))
            raise _Refused("`{}` cannot be compared with `{}`: one is text or a truth value".format(*texts))
    return "truth"
