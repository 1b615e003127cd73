"""What a forked kernel runs, and what its server prepares before the first fork."""

import io
import os


def prepare() -> None:
    """Draw a picture, so that fonts are found once."""
    from matplotlib import pyplot

    from k2c.display.style import use_style

    with pyplot.rc_context():
        use_style()
        figure, axes = pyplot.subplots(figsize=(2, 1))
        axes.set(title="title", xlabel="$x^2$", ylabel=r"$\times 10^{-3}$")
        axes.semilogy([1, 10], [1, 100], label="line")
        axes.legend()
        figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")
        pyplot.close(figure)


def main() -> None:
    """Be a kernel, with the arguments of the process."""
    from ipykernel.kernelapp import IPKernelApp

    # The app watches for its parent's end by itself.
    kernel = IPKernelApp.instance(parent_handle=os.getppid())
    kernel.initialize()
    kernel.start()
