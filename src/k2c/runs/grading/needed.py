"""Which cells the answers to the exercises rest on: grading runs these, and leaves the rest of a lecture out."""

import ast
import symtable
from collections.abc import Collection, Iterator

from nbformat import NotebookNode


def needed_cells(notebook: NotebookNode, wanted: Collection[int], names: Collection[str] = ()) -> set[int]:
    """Return the cells that have to run: those wanted, and all that set a name which one of them reads.

    What cannot be parsed, as a cell with a magic command, is needed: nobody knows what it does.

    Parameters
    ----------
    notebook
        What was handed in.
    wanted
        The indices of cells that run in any case.
    names
        What is read when they have run.
    """
    reads: dict[int, set[str]] = {}
    setters: dict[str, set[int]] = {}
    needed, modules = set(wanted), set[str]()
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        try:
            table, tree = symtable.symtable(cell.source, "cell", "exec"), ast.parse(cell.source)
        except (SyntaxError, ValueError, RecursionError):
            needed.add(index)
            continue
        reads[index] = set(_read_in(table))
        modules |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_imported()}
        bound = {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_assigned() or symbol.is_imported()
        }
        for name in bound | (set(_changed_in(tree)) - modules):
            setters.setdefault(name, set()).add(index)
    waiting, reads[-1] = [*needed, -1], set(names)
    while waiting:
        for name in reads.get(waiting.pop(), ()):
            more = setters.get(name, set()) - needed
            needed |= more
            waiting += more
    return needed


def _read_in(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the names of the notebook that a cell reads, also those that its functions read."""
    module = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (module or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _read_in(child)


def _changed_in(tree: ast.Module) -> Iterator[str]:
    """Yield the names whose value a cell may change outside of its functions: `x[0] = 1`, `x.append(1)`."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                continue
            case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()):
                yield from _base(node)
            case ast.Expr(value=ast.Call(func=ast.Attribute() as called)):
                yield from _base(called)
        waiting += ast.iter_child_nodes(node)


def _base(node: ast.AST) -> Iterator[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
