"""What every widget of the course shares: controls above, a view below, and errors where they are seen."""

import base64
import html
import io
import threading
import traceback
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import ipywidgets
from matplotlib.figure import Figure

from k2c._system.outputs import Bundle, still_image, widget_bundle
from k2c._system.printable import printable
from k2c.errors import K2CError

Method = TypeVar("Method", bound=Callable[..., Any])
_ALERT = (
    '<div role="alert" style="border-left:6px solid #D55E00;background:#FFFFFF;color:#222222;padding:6px 12px;'
    'max-width:760px;line-height:1.5;white-space:normal">{}</div>'
)
_CAPTION = '<div aria-live="polite" class="k2c-caption" style="max-width:760px;line-height:1.5">{}</div>'

_IMAGE = '<img src="data:image/{};base64,{}" alt="{}" style="max-width:100%">'


def shows_errors(method: Method) -> Method:
    """Make a widget's method show its error below the controls; the widget and the kernel go on.

    A front end sends what a hand does as messages. What fails there would otherwise end in a log that nobody reads.
    """

    @wraps(method)
    def guarded(widget: "LectureWidget", *arguments: Any, **options: Any) -> Any:
        with widget.turn:  # messages may come in threads of their own
            try:
                result = method(widget, *arguments, **options)
            except Exception as error:
                widget.error.value = _ALERT.format(_told(error))
                return None
            widget.error.value = ""
            return result

    return guarded  # type: ignore[return-value]


class LectureWidget(ipywidgets.VBox):
    """Controls, an error if there is one, and a view of what they are set to.

    A subclass makes its controls, calls `super().__init__`, and says in `still` what is shown. A change of a control
    shows it anew.

    Parameters
    ----------
    controls
        Widgets, in the order from the top. Those with a `value` are watched.
    view
        The widget that shows the result.
    """

    def __init__(self, controls: Sequence[ipywidgets.Widget], view: ipywidgets.Widget) -> None:
        self.turn = threading.RLock()
        self.error, self.view, self.caption = ipywidgets.HTML(), view, ipywidgets.HTML()
        super().__init__([*controls, self.error, self.view, self.caption])
        for control in _with_values(controls):
            control.observe(self._changed, names="value")
        self.show()  # here an error is the caller's, and is raised

    def still(self) -> dict[str, str]:
        """Return what the controls are set to show, by MIME type: `text/plain`, and an image or a page."""
        raise NotImplementedError

    def show(self) -> None:
        """Bring the view up to date."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **_options: Any) -> Bundle:
        return widget_bundle(self, self.still())

    @shows_errors
    def _changed(self, _change: Any) -> None:
        self.show()


class ImageWidget(LectureWidget):
    """A widget whose view is an image with a caption in words.

    A subclass draws the image in `draw`, on a figure that it makes itself: pyplot knows one thread only.

    Attributes
    ----------
    kind
        `png`, or `jpeg` for photographs, which would weigh ten times as much otherwise.
    """

    kind = "png"

    def __init__(self, controls: Sequence[ipywidgets.Widget]) -> None:
        super().__init__(controls, ipywidgets.HTML())  # an Image has no words for those who cannot see it

    def draw(self) -> tuple[Figure, str]:
        """Return the image, and in a sentence or two what is to be seen on it."""
        raise NotImplementedError

    def still(self) -> dict[str, str]:
        """Return the image, and its caption."""
        figure, words = self.draw()
        return still_image(_saved(figure, self.kind), words, self.kind)

    def show(self) -> None:
        """Draw anew."""
        figure, words = self.draw()
        image = base64.b64encode(_saved(figure, self.kind)).decode("ascii")
        shown = html.escape(printable(words, lines=True))
        self.view.value = _IMAGE.format(self.kind, image, shown)
        self.caption.value = _CAPTION.format(shown)


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    options = {"quality": 80} if kind == "jpeg" else {}
    figure.savefig(buffer, format=kind, pil_kwargs=options)
    return buffer.getvalue()


def _told(error: Exception) -> str:
    if isinstance(error, K2CError):
        return html.escape(printable(error, lines=True))
    trace = html.escape(printable("".join(traceback.format_exception(error)), lines=True))
    first = html.escape(printable(f"{type(error).__name__}: {error}", lines=True))
    return f"{first}<details><summary>Where it happened</summary><pre>{trace}</pre></details>"


def _with_values(widgets: Sequence[ipywidgets.Widget]) -> list[ipywidgets.Widget]:
    """Return the widgets that have a value, also those inside of boxes."""
    found = []
    for widget in widgets:
        if isinstance(widget, ipywidgets.Box):
            found += _with_values(widget.children)
        elif widget.has_trait("value") and not isinstance(widget, ipywidgets.HTML | ipywidgets.Image):
            found.append(widget)
    return found
