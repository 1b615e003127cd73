"""The specification of every kernel of `source/`."""

from typing import Any

from k2c.errors import K2CError
from k2c.kernels import references
from k2c.kernels.specification import Specification, arguments_of

_MATMUL = "a in[m*k], b in[k*n], c out[m*n], m int, n int, k int"
_SIZES = "n int, channels int, height int, width int, filters int, kernel_height int, kernel_width int"
_X = "n*channels*height*width"
_W = "filters*channels*kernel_height*kernel_width"
_ROWS, _COLUMNS = "(height-kernel_height+1)", "(width-kernel_width+1)"
_Y = f"n*filters*{_ROWS}*{_COLUMNS}"
_WINDOWS = "((height-SIDE+1)//2*((width-SIDE+1)//2))"
_EVEN = ("(height-SIDE+1) % 2 == 0", "(width-SIDE+1) % 2 == 0", "height >= SIDE", "width >= SIDE")
_BLOCK, _BLOCK_W = f"n*{_WINDOWS}*filters", "filters*SIDE*SIDE*channels"
_BLOCK_SIZES = "n int, height int, width int, channels int, filters int"
_CONV_OPERATIONS = f"2*{_Y}*channels*kernel_height*kernel_width"
_CONV_MOVES = f"4*({_X}+{_W}+{_Y})"


def _kernel(
    name: str, source: str, what: str, arguments: str, launch: str, local: tuple[int, ...], operations: str = "0",
    moves: str = "0", *, fixed: bool = False, local_cpu: str = "", **more: Any,
) -> Specification:  # fmt: skip
    """Return a specification in which the sizes along several axes are written as one text, `n;m`."""
    on_cpu = local_cpu or ("ITEMS" if local == (256,) and not fixed else "")
    return Specification(
        name, source, what, arguments_of(arguments), _axes(launch), local, fixed, operations, moves,
        local_cpu=_axes(on_cpu), **more,
    )  # fmt: skip


def _axes(formulas: str) -> tuple[str, ...]:
    return tuple(axis.strip() for axis in formulas.split(";")) if formulas else ()


_LIST = [
    _kernel(
        "vector_add", "elementwise.cl", "out = a + b", "a in[n], b in[n], out out[n], n int",
        "n", (256,), "n", "12*n", reference=references.vector_add,
    ),
    _kernel(
        "saxpy", "elementwise.cl", "y = factor * x + y", "x in[n], y inout[n], factor float, n int",
        "n", (256,), "2*n", "12*n", reference=references.saxpy,
    ),
    _kernel(
        "relu", "elementwise.cl", "out = max(x, 0)", "x in[n], out out[n], n int",
        "n", (256,), "n", "8*n", reference=references.relu,
    ),
    _kernel(
        "vector_add_long", "elementwise.cl", "out = a + b, past the caches", "a in[n], b in[n], out out[n], n int",
        "up(n,16)", (64,), "n", "12*n", reference=references.vector_add, local_cpu="max(1,ITEMS//16)",
    ),
    _kernel(
        "relu_long", "elementwise.cl", "out = max(x, 0), past the caches", "x in[n], out out[n], n int",
        "up(n,16)", (64,), "n", "8*n", reference=references.relu, local_cpu="max(1,ITEMS//16)",
    ),
    _kernel(
        "tanh_forward", "elementwise.cl", "out = tanh(x)", "x in[n], out out[n], n int",
        "n", (256,), "23*n", "8*n", reference=references.tanh_forward,
    ),
    _kernel(
        "tanh_backward", "elementwise.cl", "dx = dy * (1 - y^2)", "y in[n], dy in[n], dx out[n], n int",
        "n", (256,), "3*n", "12*n", reference=references.tanh_backward,
    ),
    _kernel(
        "add_bias", "elementwise.cl", "x[row] += bias",
        "x inout[rows*columns], bias in[columns], rows int, columns int",
        "columns;rows", (64, 1), "rows*columns", "8*rows*columns+4*columns",
    ),
    _kernel("fill", "elementwise.cl", "out = value", "out out[n], value float, n int", "n", (256,), "0", "4*n"),
    _kernel(
        "sgd", "elementwise.cl", "one step of gradient descent with momentum and weight decay",
        "parameter inout[n], velocity inout[n], gradient in[n], learning_rate float, momentum float, "
        "weight_decay float, n int",
        "n", (256,), "6*n", "20*n",
    ),
    _kernel(
        "sum", "reduce.cl", "partial[group] = sum of the group's part of x", "x in[n], partial out[groups], n int",
        "min(n,512*256)", (256,), "n", "4*n", fixed=True, reference=references.sum_of_groups,
    ),
    _kernel(
        "sum_without_barrier", "reduce.cl", "the same with a race, wrong on purpose",
        "x in[n], partial out[groups], n int",
        "min(n,512*256)", (256,), "n", "4*n", fixed=True, reference=references.sum_of_groups,
    ),
    _kernel(
        "sum_chunks", "reduce.cl", "out = sum over chunks of partial",
        "partial in[chunks*n], out out[n], chunks int, n int",
        "n", (64,), "chunks*n", "4*(chunks+1)*n",
    ),
    _kernel(
        "channel_sum", "reduce.cl", "partial[chunk, channel] = sum over images and pixels",
        "x in[n*channels*pixels], partial out[chunks*channels], n int, channels int, pixels int, chunks int",
        "channels;chunks", (1, 1), "n*channels*pixels", "4*n*channels*pixels",
    ),
    _kernel(
        "softmax", "softmax.cl", "softmax of each row",
        "x in[rows*columns], out out[rows*columns], rows int, columns int",
        "rows*64", (64,), "5*rows*columns", "8*rows*columns", fixed=True, reference=references.softmax,
    ),
    _kernel(
        "cross_entropy", "softmax.cl", "loss of each row, and the gradient of their mean",
        "logits in[rows*columns], targets in int32[rows], losses out[rows], gradient out[rows*columns], rows int, "
        "columns int",
        "rows", (16,), "8*rows*columns", "8*rows*columns+8*rows",
    ),
    _kernel(
        "matmul_textbook", "matmul.cl", "c = a b, one element per work-item", _MATMUL,
        "n;m", (16, 16), "2*m*n*k", "4*(m*k+k*n+m*n)", reference=references.matmul,
    ),
    _kernel(
        "matmul_tiled", "matmul.cl", "c = a b, tiles in local memory", _MATMUL,
        "n;m", (16, 16), "2*m*n*k", "4*(m*k+k*n+m*n)", fixed=True, reference=references.matmul,
    ),
    _kernel(
        "matmul_registers", "matmul.cl", "c = a b, tiles in registers, from a packed b",
        "a in[m*k], packed_b in[up(n,16*WIDE)*16*WIDE*k], c out[m*n], m int, n int, k int",
        "up(m,ROWS);up(n,16*WIDE)", (8, 1), "2*m*n*k", "4*(m*k+k*n+m*n)", options=("ROWS", "WIDE"),
        local_cpu="min(ITEMS,up(m,ROWS));1",  # small: PoCL gives a thread 32 groups or more at a time
    ),
    _kernel(
        "pack", "matmul.cl", "panels of a matrix, for matmul_registers",
        "source in[max(0,(count-1)*stride+(length-1)*step+1)*min(1,count*length)], "
        "packed out[up(count,width)*width*length], count int, length int, stride int, step int, width int",
        "length;up(count,width)", (64, 1), "0", "8*count*length",
    ),
    _kernel(
        "transpose", "matmul.cl", "out[column, row] = x[row, column]",
        "x in[rows*columns], out out[rows*columns], rows int, columns int",
        "columns;rows", (16, 16), "0", "8*rows*columns", reference=references.transpose,
    ),
    _kernel(
        "conv2d_textbook", "conv2d.cl", "y = x * weight + bias, one pixel a work-item",
        f"x in[{_X}], weight in[{_W}], bias in[filters], y out[{_Y}], {_SIZES}",
        f"{_COLUMNS};{_ROWS};n*filters", (8, 8, 1), _CONV_OPERATIONS, _CONV_MOVES, reference=references.conv2d,
    ),
    _kernel(
        "conv2d_tuned", "conv2d.cl", "y = x * weight + bias, tiles in registers",
        f"x in[{_X}], weight in[{_W}], bias in[filters], y out[{_Y}], {_SIZES}",
        f"up({_COLUMNS},8)*up({_ROWS},2*PAIRS);up(filters,FILTERS);n", (1, 1, 1), _CONV_OPERATIONS, _CONV_MOVES,
        options=("FILTERS", "PAIRS", "SIDE"), reference=references.conv2d,
        local_cpu=f"min(64,up({_COLUMNS},8)*up({_ROWS},2*PAIRS));1;1",
        requires=("kernel_height == SIDE", "kernel_width == SIDE", f"{_ROWS} >= 2*PAIRS", f"{_COLUMNS} >= 8"),
    ),
    _kernel(
        "conv2d_backward_input", "conv2d_backward.cl", "the gradient with respect to x, textbook",
        f"dy in[{_Y}], weight in[{_W}], dx out[{_X}], {_SIZES}",
        "width;height;n*channels", (8, 8, 1), _CONV_OPERATIONS, _CONV_MOVES,
    ),
    _kernel(
        "conv2d_backward_weight", "conv2d_backward.cl", "the gradient with respect to weight, textbook",
        f"x in[{_X}], dy in[{_Y}], dw out[{_W}], {_SIZES}", _W, (16,), _CONV_OPERATIONS, _CONV_MOVES,
    ),
    _kernel(
        "pad", "conv2d_backward.cl", "zeros around every plane",
        "x in[planes*height*width], out out[planes*(height+2*above)*(width+2*beside)], planes int, "
        "height int, width int, above int, beside int",
        "width+2*beside;height+2*above;planes", (16, 8, 1), "0",
        "4*planes*(height*width+(height+2*above)*(width+2*beside))",
    ),
    _kernel(
        "flip", "conv2d_backward.cl", "filters turned round, filters and channels swapped",
        "weight in[filters*channels*taps], out out[filters*channels*taps], filters int, channels int, taps int",
        "taps;channels;filters", (8, 8, 1), "0", "8*filters*channels*taps",
    ),
    _kernel(
        "conv2d_backward_weight_tuned", "conv2d_backward.cl",
        "the gradient with respect to weight, a chunk of images each",
        f"x in[{_X}], dy in[{_Y}], partial out[chunks*{_W}], {_SIZES}, chunks int",
        "up(kernel_width,TAPS)*kernel_height*channels;up(filters,SOME);chunks", (1, 1, 1), _CONV_OPERATIONS,
        f"4*({_X}+{_Y}+chunks*{_W})", options=("TAPS", "SOME"),
        requires=(f"{_ROWS} % 2 == 0", f"{_COLUMNS} % 8 == 0"),
    ),
    _kernel(
        "maxpool2", "pool.cl", "the largest of every 2 x 2 window",
        "x in[planes*height*width], y out[planes*(height//2)*(width//2)], planes int, height int, width int",
        "width//2;height//2;planes", (8, 8, 1), "3*planes*(height//2)*(width//2)", "5*planes*height*width",
        reference=references.maxpool2,
    ),
    _kernel(
        "maxpool2_backward", "pool.cl", "the gradient goes to the largest of its window",
        "x in[planes*height*width], dy in[planes*(height//2)*(width//2)], dx out[planes*height*width], planes int, "
        "height int, width int",
        "width//2;height//2;planes", (8, 8, 1), "3*planes*(height//2)*(width//2)", "9*planes*height*width",
    ),
    _kernel(
        "conv_pool_tanh", "conv_block.cl", "convolution, 2 x 2 max-pooling and tanh",
        f"packed_x in[up(n,16)*16*height*width*channels], weight in[{_BLOCK_W}], bias in[filters], y out[{_BLOCK}], "
        f"place out[{_BLOCK}], {_BLOCK_SIZES}, planar int",
        f"up(filters,FILTERS);{_WINDOWS};up(n,16)", (1, 1, 1), f"(8*SIDE*SIDE*channels+27)*{_BLOCK}",
        f"4*({_X}+{_BLOCK_W}+2*{_BLOCK})", options=("SIDE", "FILTERS"), local_cpu="up(filters,FILTERS);1;1",
        requires=_EVEN,
    ),
    _kernel(
        "conv_pool_weight", "conv_block.cl", "the gradients of the block's weight and bias",
        f"x in[{_X}], dz in[{_BLOCK}], place in[{_BLOCK}], partial out[chunks*({_BLOCK_W}+filters)], {_BLOCK_SIZES}, "
        "chunks int",
        "SIDE;up(filters,SOME);chunks", (1, 1, 1), f"2*SIDE*SIDE*channels*{_BLOCK}",
        f"4*({_X}+2*{_BLOCK}+chunks*{_BLOCK_W})", options=("SIDE", "SOME", "FULL"),
        requires=(*_EVEN, "SIDE*channels == 16*FULL+4"),
    ),
    _kernel(
        "conv_pool_weight_gray", "conv_block.cl", "the same for images with one channel",
        f"x in[n*height*width], dz in[{_BLOCK}], place in[{_BLOCK}], partial out[chunks*filters*(SIDE*SIDE+1)], "
        "n int, height int, width int, filters int, chunks int",
        "filters;chunks", (1, 1), f"2*SIDE*SIDE*{_BLOCK}", f"4*(n*height*width+2*{_BLOCK})", options=("SIDE",),
        requires=(*_EVEN, "SIDE == 5"),
    ),
    _kernel(
        "conv_pool_input", "conv_block.cl", "the gradient of the block's input, through the tanh before it",
        f"x in[{_X}], weight in[{_BLOCK_W}], dz in[{_BLOCK}], place in[{_BLOCK}], dx out[{_X}], {_BLOCK_SIZES}",
        "n", (1,), f"2*SIDE*SIDE*channels*{_BLOCK}+3*{_X}", f"4*(3*{_X}+2*{_BLOCK}+{_BLOCK_W})",
        options=("SIDE", "FULL", "WINDOWS", "MOST"),
        requires=(*_EVEN, "SIDE*channels == 16*FULL+4", f"{_WINDOWS} <= WINDOWS", "filters <= MOST"),
    ),
]  # fmt: skip

SPECIFICATIONS = {specification.name: specification for specification in _LIST}


def specification(name: str) -> Specification:
    """Return a kernel's specification.

    Raises
    ------
    K2CError
        When there is no such kernel.
    """
    if name not in SPECIFICATIONS:
        raise K2CError(f"There is no kernel {name!r}. Kernels are {', '.join(SPECIFICATIONS)}.")
    return SPECIFICATIONS[name]
