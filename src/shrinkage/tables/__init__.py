"""Tables of mixed columns: read from a file, turned into numbers by a recipe that is kept."""

from shrinkage.tables._read import read
from shrinkage.tables._recipe import CategoryRule, NumberRule, Recipe
from shrinkage.tables._table import Column, Table, table_of
from shrinkage.tables._target import Target, read_target, read_weights

__all__ = [
    "CategoryRule",
    "Column",
    "NumberRule",
    "Recipe",
    "Table",
    "Target",
    "read",
    "read_target",
    "read_weights",
    "table_of",
]
