# Runs a program that uses matplotlib so that show() prints each open figure as one line: a marker and JSON. What is
# below is followed by a call of _sebring_run with the program's text.
def _sebring_run(source):
    import os
    import sys

    marker = "dtn_artifact_k39fd2:"
    main = globals()
    del main["_sebring_run"]
    os.environ.setdefault("MPLBACKEND", "Agg")

    def number(value):
        value = value.item() if hasattr(value, "item") else value
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else float(value)

    def finite(values):
        return all(v == v and v not in (float("inf"), float("-inf")) for v in values)

    def numbers(values):
        result = [number(v) for v in values]
        return [v for v in result if finite([v])]

    def points(xs, ys):
        pairs = [[number(x), number(y)] for x, y in zip(xs, ys)]
        return [pair for pair in pairs if finite(pair)]

    def label(artist, kind, index):
        text = str(artist.get_label() or "")
        return text if text and not text.startswith("_") else "%s %d" % (kind, index)

    def tick_names(axis):
        return {round(float(place), 9): tick.get_text() for place, tick in zip(axis.get_ticklocs(), axis.get_ticklabels())}

    def line_elements(axes):
        return [
            {"label": label(line, "Line", i), "points": points(line.get_xdata(orig=False), line.get_ydata(orig=False))}
            for i, line in enumerate(axes.lines)
        ]

    def scatter_elements(axes, collections):
        result = []
        for i, collection in enumerate(collections):
            offsets = collection.get_offsets()
            offsets = offsets.filled(float("nan")) if hasattr(offsets, "filled") else offsets
            result.append({"label": label(collection, "Scatter", i), "points": points(offsets[:, 0], offsets[:, 1])})
        return result

    def bar_elements(axes, containers):
        result = []
        for i, container in enumerate(containers):
            flat = getattr(container, "orientation", None) == "horizontal"
            names = tick_names(axes.yaxis if flat else axes.xaxis)
            for bar in container.patches:
                middle = bar.get_y() + bar.get_height() / 2 if flat else bar.get_x() + bar.get_width() / 2
                value = number(bar.get_width() if flat else bar.get_height())
                name = names.get(round(float(middle), 9)) or "%g" % middle
                result.append({"label": name, "value": str(value), "group": label(container, "Group", i)})
        return result

    def pie_elements(wedges):
        return [
            {
                "label": label(wedge, "Wedge", i),
                "angle": number(abs(wedge.theta2 - wedge.theta1)),
                "radius": number(wedge.r),
            }
            for i, wedge in enumerate(wedges)
        ]

    def box_elements(axes, boxes):
        result = []
        for i, (box, place, upright) in enumerate(boxes):
            name = str(box.get("label") or "")
            if not name and place is not None:
                name = tick_names(axes.xaxis if upright else axes.yaxis).get(round(float(place), 9), "")
            result.append(
                {
                    "label": name or str(i + 1),
                    "min": number(box["whislo"]),
                    "first_quartile": number(box["q1"]),
                    "median": number(box["med"]),
                    "third_quartile": number(box["q3"]),
                    "max": number(box["whishi"]),
                    "outliers": numbers(box.get("fliers", ())),
                }
            )
        return result

    def elements_of(axes):
        from matplotlib.collections import PathCollection
        from matplotlib.container import BarContainer
        from matplotlib.patches import Wedge

        wedges = [patch for patch in axes.patches if isinstance(patch, Wedge)]
        if wedges:
            return "pie", pie_elements(wedges)
        boxes = getattr(axes, "_sebring_boxes", None)
        if boxes:
            return "box_and_whisker", box_elements(axes, boxes)
        bars = [container for container in axes.containers if isinstance(container, BarContainer)]
        if bars:
            return "bar", bar_elements(axes, bars)
        if axes.lines:
            return "line", line_elements(axes)
        dots = [collection for collection in axes.collections if isinstance(collection, PathCollection)]
        if dots:
            return "scatter", scatter_elements(axes, dots)
        return "unknown", []

    def chart_of(axes):
        kind, elements = elements_of(axes)
        chart = {"type": kind, "title": axes.get_title(), "elements": elements}
        if kind != "pie":
            chart["x_label"] = axes.get_xlabel()
            chart["y_label"] = axes.get_ylabel()
        if kind in ("line", "scatter", "unknown"):
            for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
                chart[name + "_ticks"] = numbers(axis.get_ticklocs())
                chart[name + "_tick_labels"] = [tick.get_text() for tick in axis.get_ticklabels()]
                chart[name + "_scale"] = str(axis.get_scale())
        return chart

    def chart_of_figure(figure):
        import base64
        import io

        image = io.BytesIO()
        figure.savefig(image, format="png", bbox_inches="tight")
        try:
            parts = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
            if len(parts) == 1:
                chart = chart_of(parts[0])
            else:
                kind = "composite_chart" if parts else "unknown"
                chart = {"type": kind, "title": "", "elements": [chart_of(axes) for axes in parts]}
        except Exception:
            chart = {"type": "unknown", "title": "", "elements": []}
        if not chart["title"] and getattr(figure, "_suptitle", None) is not None:
            chart["title"] = figure._suptitle.get_text()
        chart["png"] = base64.b64encode(image.getvalue()).decode("ascii")
        return chart

    def emit(figure):
        import json

        text = json.dumps({"type": "chart", "value": chart_of_figure(figure)})
        out = sys.__stdout__
        sys.stdout.flush()
        out.write(marker + text + "\n")
        out.flush()

    def remember_boxes(axes_class):
        plain = axes_class.bxp

        def bxp(self, bxpstats, positions=None, *args, **kwargs):
            upright = kwargs.get("orientation", "vertical") == "vertical" and kwargs.get("vert", True) is not False
            places = list(positions) if positions is not None else range(1, len(bxpstats) + 1)
            known = self.__dict__.setdefault("_sebring_boxes", [])
            known.extend((box, place, upright) for box, place in zip(bxpstats, places))
            return plain(self, bxpstats, positions, *args, **kwargs)

        bxp.__doc__ = plain.__doc__
        axes_class.bxp = bxp

    def patch(pyplot):
        from matplotlib.axes import Axes
        from matplotlib.figure import Figure

        def show(*args, **kwargs):
            for figure_number in pyplot.get_fignums():
                emit(pyplot.figure(figure_number))
            pyplot.close("all")

        def show_figure(self, *args, **kwargs):
            emit(self)

        pyplot.show = show
        Figure.show = show_figure
        remember_boxes(Axes)

    class PyplotFinder:
        @classmethod
        def find_spec(cls, name, path=None, target=None):
            if name != "matplotlib.pyplot":
                return None
            sys.meta_path.remove(cls)
            spec = sys.modules["_frozen_importlib_external"].PathFinder.find_spec(name, path, target)
            if spec is not None:
                execute = spec.loader.exec_module

                def exec_module(module):
                    execute(module)
                    patch(module)

                spec.loader.exec_module = exec_module
            return spec

    # Only the program's own frames in a traceback: the first two are this file's.
    def excepthook(kind, value, trace):
        for _ in range(2):
            trace = trace.tb_next if trace is not None else None
        sys.__excepthook__(kind, value.with_traceback(trace), trace)

    sys.meta_path.insert(0, PyplotFinder)
    sys.excepthook = excepthook
    exec(compile(source, "<stdin>", "exec", dont_inherit=True), main)
