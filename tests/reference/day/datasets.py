"""Tables that ship with vega_datasets, as a data scientist would have them."""

from __future__ import annotations

import io

import pandas as pd
from vega_datasets import local_data


def cars() -> pd.DataFrame:
    """Forty cars by their names, with a year."""
    table = pd.read_json(io.BytesIO(local_data.cars.raw())).dropna()
    table["Year"] = pd.to_datetime(table["Year"]).dt.year
    return table.drop_duplicates("Name").set_index("Name").sort_index().head(40)


def bacteria() -> pd.DataFrame:
    """Sixteen bacteria and how much of three antibiotics stops each."""
    table = pd.read_json(io.BytesIO(local_data.burtin.raw()))
    return table.set_index("Bacteria").sort_index()


def stocks() -> pd.DataFrame:
    """The prices of five stocks, month by month."""
    return pd.read_csv(io.BytesIO(local_data.stocks.raw()), parse_dates=["date"])
