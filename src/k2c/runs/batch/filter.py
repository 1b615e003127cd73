"""The filter of a batch: a comparison of parameters, checked before it is evaluated.

A batch file comes from anybody, so its filter may compare and calculate and nothing else: no calls, no attributes, and
no operation whose result may grow without bound (a power, arithmetic with text).
"""

import ast
from collections.abc import Callable, Mapping

from k2c._system.printable import printable
from k2c.course.syllabus import Value
from k2c.errors import K2CError, unknown

LONGEST = 1_000  # characters
_TRUTHS = (ast.Compare, ast.BoolOp)
_ALLOWED = (
    *_TRUTHS, ast.boolop, ast.cmpop, ast.UnaryOp, ast.Not, ast.UAdd, ast.USub,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod,
    ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple,
)  # fmt: skip


def make_filter(text: str, example: Mapping[str, Value]) -> Callable[[Mapping[str, Value]], bool]:
    """Return a function that tells whether a setting is kept.

    Parameters
    ----------
    text
        Parameters, numbers, text in quotes and lists of them with `< <= > >= == != in`, `and or not`, `+ - * / // %`.
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
        for node in ast.walk(tree.body):
            _check(node, example)
        if not isinstance(tree.body, (*_TRUTHS, ast.UnaryOp)):
            raise _Refused("it gives a value, and compares nothing")
        code = compile(tree, "<filter>", "eval")
    except (_Refused, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        deep = isinstance(error, RecursionError | MemoryError)
        reason = "it is nested too deeply" if deep else getattr(error, "msg", str(error))
        raise K2CError(
            f"The filter '{shown}' is no comparison of parameters such as `epochs <= 5 and momentum > 0`: "
            f"{reason.rstrip('.')}."
        ) from error

    def keeps(setting: Mapping[str, Value]) -> bool:
        try:
            return bool(eval(code, {"__builtins__": {}}, dict(setting)))
        except (ArithmeticError, TypeError) as error:
            at = ", ".join(f"{name} = {setting[name]}" for name in code.co_names)
            where = f" for {printable(at)}" if at else ""
            raise K2CError(f"The filter '{shown}' cannot be calculated{where}: {error}.") from error

    return keeps


class _Refused(Exception):
    pass


def _check(node: ast.AST, example: Mapping[str, Value]) -> None:
    if not isinstance(node, _ALLOWED):
        what = f"`{printable(ast.unparse(node))[:60]}`" if isinstance(node, ast.expr) else type(node).__name__
        raise _Refused(f"{what} is neither a comparison nor a calculation; and, or and not join comparisons")
    if isinstance(node, ast.Name) and node.id not in example:
        raise _Refused(unknown("parameter", node.id, example))
    for side in (node.left, node.right) if isinstance(node, ast.BinOp) else ():
        value = side.value if isinstance(side, ast.Constant) else example.get(getattr(side, "id", ""))
        if isinstance(value, str | bytes) or isinstance(side, ast.List | ast.Tuple):
            raise _Refused(f"`{printable(ast.unparse(side))[:60]}` is no number to calculate with")
