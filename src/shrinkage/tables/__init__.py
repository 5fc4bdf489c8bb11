"""Tables of mixed columns: read from a file, turned into numbers by a recipe that is kept, or by a formula."""

from shrinkage.tables._formula import FormulaData, read_formula
from shrinkage.tables._read import read
from shrinkage.tables._recipe import CategoryRule, NumberRule, Recipe
from shrinkage.tables._table import Column, Table, table_of
from shrinkage.tables._target import Target, read_target, read_weights

__all__ = [
    "CategoryRule",
    "Column",
    "FormulaData",
    "NumberRule",
    "Recipe",
    "Table",
    "Target",
    "read",
    "read_formula",
    "read_target",
    "read_weights",
    "table_of",
]
