"""Rewrite a kernel so that every access to an array is checked, and noted down when asked for.

`x[i]` becomes `x[k2c_at(..., i)]`: the same element when it exists. When it does not, the first such access is
kept for a message, and element 0 is taken instead, so that nothing outside the array is touched.
"""

import re
from dataclasses import dataclass

from k2c.errors import K2CError

HEAD = 32  # ints of the log before its entries
ENTRY = 4  # ints an entry: 2 * slot + is_write, first index, how many, work-item in its group
SIZES = 16  # where the sizes of the arrays begin
MOST_ARRAYS = HEAD - SIZES

HELPER = """
DEVICE size_t k2c_at(GLOBAL int *log, int slot, int writes, long size, int line, long index, int count) {
    if (size < 0) size = log[16 + slot];
    if (log[11] && GROUP_ID(0) == log[8] && GROUP_ID(1) == log[9] && GROUP_ID(2) == log[10]) {
        int entry = ATOMIC_INC(&log[12]);
        if (entry < log[11]) {
            log[32 + 4 * entry] = 2 * slot + writes;
            log[32 + 4 * entry + 1] = (int)index;
            log[32 + 4 * entry + 2] = count;
            log[32 + 4 * entry + 3] =
                (int)(LOCAL_ID(0) + LOCAL_SIZE(0) * (LOCAL_ID(1) + LOCAL_SIZE(1) * LOCAL_ID(2)));
        }
    }
    if (index >= 0 && index + count <= size) return index;
    if (ATOMIC_INC(&log[0]) == 0) {
        log[1] = slot;
        log[2] = writes;
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
_LOCAL = re.compile(r"\b(?:LOCAL|__local|local)\s+(float|int)\s+(\w+)\s*((?:\[[^]]+\]\s*)+);")
_VECTOR = re.compile(r"\b(LOAD|STORE)(8|16)\(\s*$")
_GLOBAL_WORDS = {"GLOBAL", "__global", "global"}


@dataclass(frozen=True)
class Parameter:
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
    """

    name: str
    text: str
    parameters: tuple[Parameter, ...]
    arrays: tuple[str, ...]


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
    code = re.sub(r"#pragma unroll", "", _without_comments(text))
    start = _find(code, name)
    opening = code.index("(", start.start(1))
    closing = _match(code, opening)
    parameters = tuple(_parameter(part) for part in code[opening + 1 : closing].split(",") if part.strip())
    body = code.index("{", closing)
    end = _match(code, body)
    locals_ = {found[2]: re.findall(r"\[([^]]+)\]", found[3]) for found in _LOCAL.finditer(code, body, end)}
    arrays = tuple(p.name for p in parameters if p.pointer) + tuple(locals_)
    if len(arrays) > MOST_ARRAYS:
        raise K2CError(f"{start[1]} has {len(arrays)} arrays; the check takes at most {MOST_ARRAYS}.")
    writer = _Rewriter(code, arrays, locals_)
    rewritten = (
        f"{code[:closing]}, GLOBAL int *k2c_log{code[closing:body]}{writer.rewrite(body, end)}{code[end:]}"
    )
    return Instrumented(start[1], rewritten, parameters, arrays)


class _Rewriter:
    def __init__(self, code: str, arrays: tuple[str, ...], locals_: dict[str, list[str]]) -> None:
        self.code, self.arrays, self.locals = code, arrays, locals_
        names = "|".join(map(re.escape, arrays)) or "(?!)"
        self.pattern = re.compile(rf"(?<![\w.])({names})\b")

    def rewrite(self, start: int, end: int) -> str:
        done, at = [], start
        while match := self.pattern.search(self.code, at, end):
            done.append(self.code[at : match.start()])
            piece, at = self._access(match[1], match.start(), match.end())
            done.append(piece)
        return "".join(done) + self.code[at:end]

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
                    f"Line {self._line(start)} uses {name} without an index, which cannot be checked. "
                    f"Write every access as {name}[index]."
                )
            at = _match(self.code, opening) + 1
            brackets.append(self.rewrite(opening + 1, at - 1))
        reads, writes = _way(self.code, start, at)
        return self._checked(name, brackets, sizes, start, int(writes and not reads)), at

    def _checked(self, name: str, indices: list[str], sizes: list[str], start: int, writes: int) -> str:
        """Check each index against its size; the whole array counts once, by its flat index."""
        slot, line = self.arrays.index(name), self._line(start)
        if name not in self.locals:
            return f"{name}[k2c_at(k2c_log, {slot}, {writes}, -1, {line}, (long)({indices[0]}), 1)]"
        if len(sizes) == 1:
            return f"{name}[k2c_at(k2c_log, {slot}, {writes}, {sizes[0]}, {line}, (long)({indices[0]}), 1)]"
        flat, total = f"(long)({indices[0]})", f"({sizes[0]})"
        for index, size in zip(indices[1:], sizes[1:], strict=True):
            flat, total = f"({flat}) * ({size}) + (long)({index})", f"{total} * ({size})"
        checked = f"k2c_at(k2c_log, {slot}, {writes}, {total}, {line}, {flat}, 1)"
        zeros = "[0]" * (len(sizes) - 1)
        return f"(&{name}{zeros}[0])[{checked}]"

    def _vector(self, name: str, start: int, after: int, vector: re.Match[str]) -> tuple[str, int]:
        plus = self.code.index("+", after)
        end = _end_of_argument(self.code, plus + 1)
        slot, writes = self.arrays.index(name), int(vector[1] == "STORE")
        index = self.rewrite(plus + 1, end)
        check = f"k2c_at(k2c_log, {slot}, {writes}, -1, {self._line(start)}, (long)({index}), {vector[2]})"
        return f"{name} + {check}", end

    def _line(self, position: int) -> int:
        return self.code.count("\n", 0, position) + 1


def _find(code: str, name: str) -> re.Match[str]:
    found = {match[1]: match for match in _KERNEL.finditer(code)}
    if not found:
        raise K2CError(
            "The source has no kernel. A kernel begins with: KERNEL name(GLOBAL float *x, int n) {"
        )
    if (name and name not in found) or (not name and len(found) > 1):
        raise K2CError(f"Which kernel? The source has {', '.join(found)}, and not {name or 'one only'}.")
    return found[name] if name else next(iter(found.values()))


def _parameter(text: str) -> Parameter:
    words = text.replace("*", " * ").split()
    name, pointer = words[-1], "*" in words
    dtype = next(({"float": "float32", "int": "int32"}[w] for w in words[:-1] if w in ("float", "int")), "")
    if not dtype or (pointer and not _GLOBAL_WORDS & set(words)):
        raise K2CError(f"The parameter {text.strip()!r} is not GLOBAL float *, GLOBAL int *, float or int.")
    return Parameter(name, dtype, pointer, "const" in words)


def _way(code: str, start: int, end: int) -> tuple[bool, bool]:
    """Return whether an access that stands there reads and writes."""
    after, before = code[end : end + 40].lstrip(), code[max(0, start - 20) : start].rstrip()
    if re.match(r"=(?!=)", after):
        return False, True
    both = re.match(r"(?:[-+*/%&|^]|<<|>>)=|\+\+|--", after) or before.endswith(("++", "--"))
    return True, bool(both)


def _match(code: str, opening: int) -> int:
    pairs = {"(": ")", "[": "]", "{": "}"}
    opened, closed, depth = code[opening], pairs[code[opening]], 0
    for at in range(opening, len(code)):
        depth += (code[at] == opened) - (code[at] == closed)
        if depth == 0:
            return at
    raise K2CError(f"A {opened} in line {code.count(chr(10), 0, opening) + 1} is never closed.")


def _end_of_argument(code: str, at: int) -> int:
    depth = 0
    while depth or code[at] not in ",)":
        depth += (code[at] in "([") - (code[at] in ")]")
        at += 1
    return at


def _without_comments(text: str) -> str:
    """Return the text with comments as spaces, so that positions and lines stay."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL)
