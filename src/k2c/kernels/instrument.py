"""Rewrite a kernel so that every access to an array is checked, and noted down when asked for.

`x[i]` becomes `x[k2c_at(..., i)]`: the same element when it exists. When it does not, the first such access is
kept for a message, and element 0 is taken instead, so that nothing outside the array is touched. `BARRIER`
becomes `(BARRIER, k2c_barriers++)`, so that an access is noted down with the barriers before it. A function that
gets arrays from a kernel is rewritten too; it is told which arrays they are.
"""

import re
from dataclasses import dataclass, field

from k2c.errors import K2CError
from k2c.kernels.c_text import arguments, end_of_argument, line_of, match_bracket, without_comments

HEAD = 32  # ints of the log before its entries
ENTRY = (
    6  # ints an entry: 4 * slot + way, first index, how many, work-item in its group, line, barriers before
)
READ, WRITE, BOTH = range(3)  # the way of an access; BOTH is that of x[i] += 1
SIZES = 16  # where the sizes of the arrays begin
MOST_ARRAYS = HEAD - SIZES

HELPER = """
DEVICE size_t k2c_at(GLOBAL int *log, int barriers, int slot, int way, long size, int line, long index, int count) {
    if (size < 0) size = log[16 + slot];
    if (log[11] && GROUP_ID(0) == log[8] && GROUP_ID(1) == log[9] && GROUP_ID(2) == log[10]) {
        int entry = ATOMIC_INC(&log[12]);
        if (entry < log[11]) {
            log[32 + 6 * entry] = 4 * slot + way;
            log[32 + 6 * entry + 1] = (int)index;
            log[32 + 6 * entry + 2] = count;
            log[32 + 6 * entry + 3] =
                (int)(LOCAL_ID(0) + LOCAL_SIZE(0) * (LOCAL_ID(1) + LOCAL_SIZE(1) * LOCAL_ID(2)));
            log[32 + 6 * entry + 4] = line;
            log[32 + 6 * entry + 5] = barriers;
        }
    }
    if (index >= 0 && index + count <= size) return index;
    if (ATOMIC_INC(&log[0]) == 0) {
        log[1] = slot;
        log[2] = way;
        log[3] = line;
        log[4] = (int)(index >= 0 && index < size ? size : index);
        log[5] = (int)GLOBAL_ID(0);
        log[6] = (int)GLOBAL_ID(1);
        log[7] = (int)GLOBAL_ID(2);
    }
    return 0;
}
"""

_KERNEL = re.compile(r"(?:\bKERNEL|\b(?:__)?kernel\s+void)\s+(\w+)\s*\(")
_FUNCTION = re.compile(r"\b(?:DEVICE|inline)\s+\w+\s+(\w+)\s*\(")
_LOCAL = re.compile(r"\b(?:LOCAL|__local|local)\s+(float|int)\s+(\w+)\s*((?:\[[^]]+\]\s*)+);")
_BARRIER = re.compile(r"\bBARRIER\b|\b(?:barrier|work_group_barrier|__syncthreads)\s*(?=\()")
_VECTOR = re.compile(r"\b(LOAD|STORE|STREAM)(4|8|16)\(\s*$")
_GLOBAL_WORDS = {"GLOBAL", "__global", "global"}


@dataclass(frozen=True)
class KernelParameter:
    """A parameter of a kernel: `pointer` ones are arrays in global memory, `constant` ones are only read."""

    name: str
    dtype: str
    pointer: bool
    constant: bool = False


@dataclass(frozen=True)
class Instrumented:
    """A rewritten kernel.

    Attributes
    ----------
    name
        The kernel's name.
    text
        The rewritten source; the kernel has one more parameter, the log.
    parameters
        Its parameters as they were.
    arrays
        The name of every array by slot: the pointers first, then the arrays in local memory.
    local_sizes
        The formulas of the sizes of each array in local memory.
    """

    name: str
    text: str
    parameters: tuple[KernelParameter, ...]
    arrays: tuple[str, ...]
    local_sizes: dict[str, list[str]] = field(default_factory=dict)


def instrument(text: str, name: str = "") -> Instrumented:
    """Rewrite one kernel of a source text.

    Parameters
    ----------
    text
        The source.
    name
        The kernel; may be left out when there is only one.

    Raises
    ------
    K2CError
        When there is no such kernel, or it uses an array in a way that cannot be checked.
    """
    # Unrolled, each of the many checks would be compiled many times.
    code = re.sub(r"#pragma unroll", "", without_comments(text))
    _refuse_barriers_elsewhere(code)
    kernel = _function(code, _find(code, name))
    parameters = tuple(_parameter(code[start:end]) for start, end in arguments(code, kernel.opening))
    found = _LOCAL.finditer(code, kernel.body, kernel.end)
    locals_ = {local[2]: re.findall(r"\[([^]]+)\]", local[3]) for local in found}
    arrays = tuple(p.name for p in parameters if p.pointer) + tuple(locals_)
    if len(arrays) > MOST_ARRAYS:
        raise K2CError(f"{kernel.name} has {len(arrays)} arrays; the check takes at most {MOST_ARRAYS}.")
    helpers = {f.name: f for match in _FUNCTION.finditer(code) if (f := _function(code, match)).arrays}
    slots = {array: str(slot) for slot, array in enumerate(arrays)}
    made = _Rewriter(code, slots, helpers, locals_).function(
        kernel, ", GLOBAL int *k2c_log", "int k2c_barriers = 0;"
    )
    pieces = [(kernel, made)]
    for helper in helpers.values():
        slots = {array: f"k2c_slot_{array}" for array in helper.arrays.values()}
        extra = ", GLOBAL int *k2c_log, int k2c_barriers" + "".join(
            f", int {slot}" for slot in slots.values()
        )
        pieces.append((helper, _Rewriter(code, slots, helpers).function(helper, extra)))
    rewritten, at = "", 0
    for function, piece in sorted(pieces, key=lambda pair: pair[0].opening):
        rewritten, at = rewritten + code[at : function.opening] + piece, function.end
    return Instrumented(kernel.name, rewritten + code[at:], parameters, arrays, locals_)


@dataclass(frozen=True)
class _Function:
    """A function: its name, where its parameters and its body begin and end, and its global arrays by position."""

    name: str
    opening: int
    closing: int
    body: int
    end: int
    arrays: dict[int, str]


class _Rewriter:
    """Rewrites the body of a function in which `slots` says the number of each array, as it is to be written."""

    def __init__(
        self,
        code: str,
        slots: dict[str, str],
        helpers: dict[str, _Function],
        locals_: dict[str, list[str]] | None = None,
    ) -> None:
        self.code, self.slots, self.helpers, self.locals = code, slots, helpers, locals_ or {}
        names, functions = ("|".join(map(re.escape, table)) or "(?!)" for table in (slots, helpers))
        self.pattern = re.compile(
            rf"(?<![\w.])(?P<array>{names})\b|\b(?P<helper>{functions})\s*(?=\()|{_BARRIER.pattern}"
        )

    def function(self, function: _Function, parameters: str, first: str = "") -> str:
        """Return a function from its parameters on, with more of them, and a statement before all others."""
        head = f"{self.code[function.opening : function.closing]}{parameters}"
        between = self.code[function.closing : function.body]
        return f"{head}{between}{{ {first} {self.rewrite(function.body + 1, function.end)}"

    def rewrite(self, start: int, end: int) -> str:
        done, at = [], start
        while match := self.pattern.search(self.code, at, end):
            done.append(self.code[at : match.start()])
            take = self._access if match["array"] else self._helper if match["helper"] else self._barrier
            piece, at = take(match[0].strip(), match.start(), match.end())
            done.append(piece)
        return "".join(done) + self.code[at:end]

    def _barrier(self, word: str, start: int, after: int) -> tuple[str, int]:
        end = after if word == "BARRIER" else match_bracket(self.code, after) + 1
        return f"({self.code[start:end]}, k2c_barriers++)", end

    def _helper(self, name: str, start: int, after: int) -> tuple[str, int]:
        pieces, slots = [], []
        for position, (first, end) in enumerate(arguments(self.code, after)):
            given = self.code[first:end].strip()
            if position in self.helpers[name].arrays:
                if given not in self.slots or given in self.locals:
                    raise K2CError(
                        f"Line {line_of(self.code, first)} passes {given} to {name}, which cannot be checked. "
                        "Pass a whole array in global memory, by its name."
                    )
                slots.append(self.slots[given])
                pieces.append(given)
            else:
                pieces.append(self.rewrite(first, end))
        return f"{name}({', '.join([*pieces, 'k2c_log', 'k2c_barriers', *slots])})", match_bracket(
            self.code, after
        ) + 1

    def _access(self, name: str, start: int, after: int) -> tuple[str, int]:
        declared = next((d for d in _LOCAL.finditer(self.code) if d.start(2) == start), None)
        if declared:
            return self.code[start : declared.end()], declared.end()
        vector = _VECTOR.search(self.code, 0, start)
        if vector and re.match(r"\s*\+", self.code[after:]):
            return self._vector(name, start, after, vector)
        return self._element(name, start, after)

    def _element(self, name: str, start: int, after: int) -> tuple[str, int]:
        sizes = self.locals.get(name, [""])
        brackets, at = [], after
        for _ in sizes:
            opening = at + len(self.code[at:]) - len(self.code[at:].lstrip())
            if self.code[opening : opening + 1] != "[":
                raise K2CError(
                    f"Line {line_of(self.code, start)} uses {name} without an index, which cannot be checked. "
                    f"Write every access as {name}[index]."
                )
            at = match_bracket(self.code, opening) + 1
            brackets.append(self.rewrite(opening + 1, at - 1))
        return self._checked(name, brackets, sizes, start, _way(self.code, start, at)), at

    def _checked(self, name: str, indices: list[str], sizes: list[str], start: int, way: int) -> str:
        """Check each index against its size; the whole array counts once, by its flat index."""
        if name not in self.locals:
            return f"{name}[{self._call(name, start, way, '-1', f'(long)({indices[0]})')}]"
        if len(sizes) == 1:
            return f"{name}[{self._call(name, start, way, sizes[0], f'(long)({indices[0]})')}]"
        flat, total = f"(long)({indices[0]})", f"({sizes[0]})"
        for index, size in zip(indices[1:], sizes[1:], strict=True):
            flat, total = f"({flat}) * ({size}) + (long)({index})", f"{total} * ({size})"
        zeros = "[0]" * (len(sizes) - 1)
        return f"(&{name}{zeros}[0])[{self._call(name, start, way, total, flat)}]"

    def _call(self, name: str, start: int, way: int, size: str, index: str, count: str = "1") -> str:
        line = line_of(self.code, start)
        return f"k2c_at(k2c_log, k2c_barriers, {self.slots[name]}, {way}, {size}, {line}, {index}, {count})"

    def _vector(self, name: str, start: int, after: int, vector: re.Match[str]) -> tuple[str, int]:
        plus = self.code.index("+", after)
        end = end_of_argument(self.code, plus + 1)
        way, index = READ if vector[1] == "LOAD" else WRITE, self.rewrite(plus + 1, end)
        return f"{name} + {self._call(name, start, way, '-1', f'(long)({index})', vector[2])}", end


def _find(code: str, name: str) -> re.Match[str]:
    found = {match[1]: match for match in _KERNEL.finditer(code)}
    if not found:
        raise K2CError(
            "The source has no kernel. A kernel begins with: KERNEL name(GLOBAL float *x, int n) {"
        )
    if (name and name not in found) or (not name and len(found) > 1):
        raise K2CError(f"Which kernel? The source has {', '.join(found)}, and not {name or 'one only'}.")
    return found[name] if name else next(iter(found.values()))


def _function(code: str, found: re.Match[str]) -> _Function:
    opening = found.end() - 1
    closing = match_bracket(code, opening)
    body = code.find("{", closing)
    if body < 0:
        raise K2CError(f"{found[1]} has no body. It follows its parameters, in {{ }}.")
    words = [code[start:end].replace("*", " * ").split() for start, end in arguments(code, opening)]
    arrays = {at: w[-1] for at, w in enumerate(words) if "*" in w and _GLOBAL_WORDS & set(w)}
    return _Function(found[1], opening, closing, body, match_bracket(code, body), arrays)


def _parameter(text: str) -> KernelParameter:
    words = text.replace("*", " * ").split()
    name, pointer = words[-1], "*" in words
    dtype = next(({"float": "float32", "int": "int32"}[w] for w in words[:-1] if w in ("float", "int")), "")
    if not dtype or (pointer and not _GLOBAL_WORDS & set(words)):
        raise K2CError(f"The parameter {text.strip()!r} is not GLOBAL float *, GLOBAL int *, float or int.")
    return KernelParameter(name, dtype, pointer, "const" in words)


def _refuse_barriers_elsewhere(code: str) -> None:
    kernels = [_function(code, found) for found in _KERNEL.finditer(code)]
    for barrier in _BARRIER.finditer(code):
        if not any(kernel.body < barrier.start() < kernel.end for kernel in kernels):
            raise K2CError(
                f"Line {line_of(code, barrier.start())} has a barrier outside of a kernel, which cannot be followed. "
                "Write every barrier in the kernel itself."
            )


def _way(code: str, start: int, end: int) -> int:
    """Return the way of an access that stands there. An atomic one counts as a read: it races with no other."""
    after, before = code[end : end + 40].lstrip(), code[max(0, start - 20) : start].rstrip()
    if re.match(r"=(?!=)", after):
        return WRITE
    both = re.match(r"(?:[-+*/%&|^]|<<|>>)=|\+\+|--", after) or before.endswith(("++", "--"))
    return BOTH if both else READ
