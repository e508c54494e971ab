"""The demo agent's tools over the ``cars`` data set of vega_datasets: 406 cars of the model years 1970 to 1982.

Each tool returns JSON.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from langchain_core.tools import BaseTool, tool

Number = Literal["Miles_per_Gallon", "Horsepower", "Weight_in_lbs", "Acceleration", "Displacement", "Cylinders"]
Group = Literal["Origin", "Year", "Cylinders"]
Car = dict[str, Any]


@cache
def cars() -> tuple[Car, ...]:
    """Every car, with ``Year`` as a number. Reads the package's data file directly to avoid importing pandas."""
    spec = find_spec("vega_datasets")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the demo's data is missing: pip install 'treadle[demo]'")
    rows = json.loads(Path(spec.submodule_search_locations[0], "_data", "cars.json").read_text())
    return tuple({**row, "Year": int(row["Year"][:4])} for row in rows)


@tool
def average_by(column: Number, group_by: Group) -> str:
    """The mean of a column in each group, highest first, with the number of cars in the group."""
    known = sorted((car for car in cars() if car[column] is not None), key=lambda car: car[group_by])
    groups = {key: [car[column] for car in group] for key, group in groupby(known, key=lambda car: car[group_by])}
    means = [{group_by: key, "mean": round(fmean(values), 1), "cars": len(values)} for key, values in groups.items()]
    return json.dumps(sorted(means, key=lambda row: -row["mean"]))


@tool
def top_cars(column: Number, limit: int = 3, origin: Literal["Europe", "Japan", "USA"] | None = None) -> str:
    """The cars with the highest values in a column, from one origin or all."""
    known = [car for car in cars() if car[column] is not None and origin in (None, car["Origin"])]
    best = sorted(known, key=lambda car: -car[column])[: max(1, min(limit, 20))]
    return json.dumps([{key: car[key] for key in ("Name", "Year", "Origin", column)} for car in best])


@tool
def trend(column: Number, origin: Literal["Europe", "Japan", "USA"] | None = None) -> str:
    """The mean of a column in the first and the last model year, and the change in percent."""
    known = [car for car in cars() if car[column] is not None and origin in (None, car["Origin"])]
    first, last = min(car["Year"] for car in known), max(car["Year"] for car in known)
    before, after = (fmean(car[column] for car in known if car["Year"] == year) for year in (first, last))
    change = round(100 * (after / before - 1))
    years = {"from": first, "mean": round(before, 1), "to": last, "mean_then": round(after, 1)}
    return json.dumps({**years, "change_percent": change})


TOOLS: tuple[BaseTool, ...] = (average_by, trend, top_cars)
