"""Recognising the axes of a NetCDF or Zarr variable by the names of its dimensions and by the CF attributes of its coordinates.

The CF conventions identify a coordinate by `axis`, `standard_name` or `units`; cf-xarray knows their tables, and those of related tools,
so that files name their axes as they like (valid_time, time_counter, nav_lat). Names that are usual without such attributes are listed
here, since many small files have none. A dimension that two letters claim stays unrecognised, such as a list of stations, along which both
latitude and longitude are coordinates.
"""

from typing import Any

# letter → names by which a dimension is recognised without any attribute
DIMENSIONS = {
    "t": ("t", "time"),
    "m": ("m", "member", "ensemble", "realization", "realisation", "number", "sample"),
    "y": ("y", "lat", "latitude"),
    "x": ("x", "lon", "longitude", "site"),
}
LETTERS = {name: letter for letter, names in DIMENSIONS.items() for name in names}
# letter → keys under which cf-xarray lists coordinates, by axis, by kind or by standard name
CF_KEYS = {"t": ("T", "time"), "m": ("realization",), "y": ("Y", "latitude"), "x": ("X", "longitude")}
SINCE = " since "  # in the units of every CF time


def letters_of(field: Any) -> list[str]:
    """The letter of each dimension of an xarray variable, in order; "" where it is not recognised."""
    claims = _claims(field)
    return [LETTERS.get(str(name).lower()) or (claims[name].copy().pop() if len(claims[name]) == 1 else "") for name in field.dims]


def _claims(field: Any) -> dict[Any, set[str]]:
    """Letters that the attributes of one-dimensional coordinates give to each dimension."""
    known = {**field.cf.standard_names, **field.cf.coordinates, **field.cf.axes}
    claims: dict[Any, set[str]] = {name: set() for name in field.dims}
    for name, coordinate in field.coords.items():
        if coordinate.ndim == 1 and coordinate.dims[0] in claims:
            found = {letter for letter, keys in CF_KEYS.items() if any(name in known.get(key, ()) for key in keys)}
            claims[coordinate.dims[0]] |= found | ({"t"} if _is_time(coordinate) else set())
    return claims


def clock_of(field: Any, dimension: str | None) -> Any | None:
    """The coordinate that gives the times along a dimension: its own, or the only one whose unit is one of time; None if there is none."""
    if dimension is None or dimension in field.coords:  # `coords.get` would invent 0, 1, 2, … for a dimension without a coordinate
        return None if dimension is None else field.coords[dimension]
    along = [coordinate for coordinate in field.coords.values() if coordinate.dims == (dimension,) and _is_time(coordinate)]
    return along[0] if len(along) == 1 else None


def variables_of(dataset: Any) -> list[str]:
    """Names of the variables with axes, without the bounds of coordinates."""
    bounds = {name for names in dataset.cf.bounds.values() for name in names}
    return [str(name) for name, array in dataset.data_vars.items() if array.ndim and name not in bounds]


def _is_time(coordinate: Any) -> bool:
    return SINCE in str(coordinate.attrs.get("units", ""))
