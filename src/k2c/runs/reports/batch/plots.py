"""The figure that fits a sweep: a line, a heat map, strips, points or parallel coordinates."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from scipy.special import stdtrit

from k2c.display.colours import COLOURS
from k2c.runs.reports.batch.table import Batch

PALETTE = [COLOURS[name] for name in ("blue", "red", "green", "orange", "purple", "sky")]
MOST_LINES = len(PALETTE)
MOST_DIMENSIONS = 6


def figures(batch: Batch, metric: str) -> list[go.Figure]:
    """Return the plots of one metric over what the sweep varies; every point's `customdata` lists its rows.

    One numeric parameter makes a line with its mean and 95% interval over the seeds, with a second parameter of few
    values a line for each; two numeric ones on a grid make a heat map, and points in colour where they are no grid;
    categories make strips; more than two make parallel coordinates, and points over each parameter.
    """
    done = batch.done[batch.done[metric].notna()]
    done = done.assign(**{metric: done[metric].astype(float)})
    numeric = [name for name in batch.swept if pd.api.types.is_numeric_dtype(batch.frame[name].dtype)
               and not pd.api.types.is_bool_dtype(batch.frame[name].dtype)]  # fmt: skip
    if done.empty:
        return []
    if len(batch.swept) > 2:
        return [_parallel(done, metric, batch.swept, numeric), _each(done, metric, batch.swept, numeric)]
    if not batch.swept:
        return [_line(done, metric, None, None, numeric)]
    if len(batch.swept) == 1:
        return [_line(done, metric, batch.swept[0], None, numeric)]
    across, lines = sorted(batch.swept, key=lambda name: (name not in numeric, -done[name].nunique()))
    if lines not in numeric and done[lines].nunique() <= MOST_LINES:
        return [_line(done, metric, across, lines, numeric)]
    places = done[[across, lines]].drop_duplicates()
    if len(places) * 2 < done[across].nunique() * done[lines].nunique():
        return [_coloured(done, metric, across, lines)]
    return [_heat(done, metric, *batch.swept)]


def interval(values: pd.Series) -> float:
    """Return half the 95% confidence interval of a mean (Student's t), or NaN for a single value."""
    n = len(values)
    return float(stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")


def _line(
    done: pd.DataFrame, metric: str, across: str | None, lines: str | None, numeric: list[str]
) -> go.Figure:
    figure = go.Figure()
    groups = (
        [("", done)] if lines is None else [(str(key), part) for key, part in done.groupby(lines, sort=True)]
    )
    for number, (name, part) in enumerate(groups):
        colour = PALETTE[number % len(PALETTE)]
        _add_series(figure, part, metric, across, across in numeric, colour, name)
    figure.update_layout(showlegend=lines is not None, legend_title_text=_text(lines or ""))
    figure.update_xaxes(title_text=_text(across or ""), **_scale(done, across, numeric))
    figure.update_yaxes(title_text=_text(metric))
    return figure


def _add_series(
    figure: go.Figure, part: pd.DataFrame, metric: str, across: str | None, numeric: bool, colour: str, name: str,
    **place: Any,
) -> None:  # fmt: skip
    """Add every run as a point that can be clicked, and the mean of each setting with its interval."""
    settings = part[across] if across else pd.Series("all runs", index=part.index)
    settings = settings if numeric else settings.astype(str).map(_text)
    hover = f"{_text(metric)} %{{y:.5g}}<extra>{_text(name)}</extra>"
    groups = part[metric].groupby(settings, sort=numeric)
    means, spread = groups.mean(), groups.agg(interval)
    error = (
        {"type": "data", "array": spread.tolist(), "thickness": 1.6, "width": 6}
        if spread.notna().any()
        else None
    )
    figure.add_scatter(
        x=means.index.tolist(), y=means.tolist(), mode="lines+markers" if numeric else "markers", name=_text(name),
        legendgroup=name, error_y=error, line={"color": colour, "width": 2.2},
        marker={"color": colour, "size": 12, "symbol": "line-ew-open", "line": {"color": colour, "width": 2.5}},
        customdata=[part.index[settings == value].tolist() for value in means.index],
        hovertemplate=f"mean at %{{x}}: {hover}", **place,
    )  # fmt: skip
    figure.add_scatter(
        x=settings.tolist(), y=part[metric].tolist(), mode="markers", name=_text(name), legendgroup=name,
        showlegend=False, marker={"color": colour, "size": 8, "opacity": 0.5}, hovertemplate=f"%{{x}}: {hover}",
        customdata=[[index] for index in part.index], **place,
    )  # fmt: skip


def _heat(done: pd.DataFrame, metric: str, down: str, across: str) -> go.Figure:
    columns, rows = sorted(done[across].unique()), sorted(done[down].unique())
    means = done.pivot_table(index=down, columns=across, values=metric).reindex(index=rows, columns=columns)
    spread = done.pivot_table(index=down, columns=across, values=metric, aggfunc=interval).reindex_like(means)
    members = [[done.index[(done[across] == x) & (done[down] == y)].tolist() for x in columns] for y in rows]
    words = [[_cell_words(mean, half) for mean, half in zip(*pair, strict=True)]
             for pair in zip(means.to_numpy(), spread.to_numpy(), strict=True)]  # fmt: skip
    figure = go.Figure(
        go.Heatmap(
            x=[_text(str(x)) for x in columns], y=[_text(str(y)) for y in rows], z=_nested(means), text=words,
            texttemplate="%{text}" if len(columns) * len(rows) <= 100 else "", colorscale="Viridis",
            customdata=members, colorbar={"title": {"text": _text(metric), "side": "right"}, "thickness": 14},
            hovertemplate=f"{_text(across)} %{{x}}, {_text(down)} %{{y}}: %{{z:.5g}}<extra></extra>", xgap=2, ygap=2,
        )
    )  # fmt: skip
    figure.update_xaxes(title_text=_text(across), type="category")
    figure.update_yaxes(title_text=_text(down), type="category")
    return figure


def _coloured(done: pd.DataFrame, metric: str, across: str, down: str) -> go.Figure:
    figure = go.Figure(
        go.Scatter(
            x=done[across].tolist(), y=done[down].tolist(), mode="markers", customdata=[[i] for i in done.index],
            marker={"color": done[metric].tolist(), "colorscale": "Viridis", "size": 12, "showscale": True,
                    "colorbar": {"title": {"text": _text(metric), "side": "right"}, "thickness": 14}},
            hovertemplate=f"{_text(across)} %{{x}}, {_text(down)} %{{y}}: %{{marker.color:.5g}}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title_text=_text(across), **_scale(done, across, [across]))
    figure.update_yaxes(title_text=_text(down), **_scale(done, down, [down]))
    return figure


def _parallel(done: pd.DataFrame, metric: str, swept: list[str], numeric: list[str]) -> go.Figure:
    dimensions = [_dimension(done, name, name in numeric) for name in [*swept, metric]]
    line = {"color": done[metric].tolist(), "colorscale": "Viridis", "showscale": False}
    figure = go.Figure(go.Parcoords(line=line, dimensions=dimensions, customdata=done.index.tolist()))
    figure.update_layout(meta={"kind": "parallel"})
    return figure


def _dimension(done: pd.DataFrame, name: str, numeric: bool) -> dict[str, Any]:
    """Return one axis of the parallel coordinates, with a tick at every value where they are few."""
    if not numeric and not pd.api.types.is_float_dtype(done[name].dtype):
        names = sorted(done[name].astype(str).unique())
        places = [names.index(value) for value in done[name].astype(str)]
        ticks = {"tickvals": [*range(len(names))], "ticktext": [*map(_text, names)]}
        return {"label": _text(name), "values": places, **ticks}
    logarithmic, ticks_at = _is_log(done[name]), sorted(done[name].unique())
    if len(ticks_at) > 8:
        ticks_at = list(np.geomspace(ticks_at[0], ticks_at[-1], 5)) if logarithmic else []
    values = np.log10(done[name]) if logarithmic else done[name]
    axis = {"label": _text(name), "values": values.tolist()}
    if ticks_at:
        places = np.log10(ticks_at).tolist() if logarithmic else ticks_at
        axis |= {"tickvals": places, "ticktext": [f"{tick:.3g}" for tick in ticks_at]}
    return axis


def _each(done: pd.DataFrame, metric: str, swept: list[str], numeric: list[str]) -> go.Figure:
    """Draw the metric over each parameter in turn, whatever the others were."""
    shown = swept[:MOST_DIMENSIONS]
    columns = min(3, len(shown))
    figure = make_subplots(-(-len(shown) // columns), columns, shared_yaxes=True, horizontal_spacing=0.04)
    for number, name in enumerate(shown):
        place = {"row": number // columns + 1, "col": number % columns + 1}
        few = done[name].nunique() <= 12
        part = done if few or name not in numeric else done.assign(**{name: _binned(done[name])})
        _add_series(figure, part, metric, name, name in numeric, PALETTE[0], "", **place)
        figure.update_xaxes(title_text=_text(name), **_scale(done, name, numeric), **place)
    figure.update_yaxes(title_text=_text(metric), col=1)
    figure.update_layout(showlegend=False, meta={"kind": "each", "rows": -(-len(shown) // columns)})
    return figure


def _binned(values: pd.Series, bins: int = 8) -> pd.Series:
    """Replace drawn values by the middle of their bin: a mean needs neighbours."""
    scaled = np.log10(values) if _is_log(values) else values.astype(float)
    edges = np.linspace(scaled.min(), scaled.max(), bins + 1)
    middles = (edges[:-1] + edges[1:])[np.clip(np.digitize(scaled, edges) - 1, 0, bins - 1)] / 2
    return pd.Series(10**middles if _is_log(values) else middles, index=values.index).round(12)


def _scale(done: pd.DataFrame, name: str | None, numeric: list[str]) -> dict[str, Any]:
    if name is None or name not in numeric:
        return {"type": "category"}
    if not _is_log(done[name]):
        return {"type": "linear"}
    values = sorted(done[name].unique())
    ticks = {"tickvals": values, "ticktext": [f"{value:g}" for value in values]} if len(values) <= 12 else {}
    return {"type": "log", "minor": {"showgrid": False}, **ticks}


def _is_log(values: pd.Series) -> bool:
    """Tell whether values lie more evenly on a logarithmic axis, and so far apart that it matters."""
    if (
        not pd.api.types.is_numeric_dtype(values.dtype)
        or values.min() <= 0
        or values.max() < 30 * values.min()
    ):
        return False
    low, middle, high = np.quantile(values.unique(), [0, 0.5, 1])
    in_logarithms = np.log(middle / low) / np.log(high / low)
    return bool(abs(in_logarithms - 0.5) < abs((middle - low) / (high - low) - 0.5))


def _cell_words(mean: float, half: float) -> str:
    if np.isnan(mean):
        return ""
    return f"{mean:#.3g}" if np.isnan(half) else f"{mean:#.3g}<br>± {half:.1g}"


def _nested(frame: pd.DataFrame) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in frame.to_numpy()]


def _text(name: str) -> str:
    """Return a name as plotly shows it: plotly reads a few HTML tags in labels, so none is left."""
    return str(name).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "% {")
