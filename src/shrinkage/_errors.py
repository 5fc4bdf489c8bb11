"""The exceptions and warnings that this library raises."""


class ShrinkageError(Exception):
    """Root of every exception that shrinkage raises on purpose."""


class ArgumentError(ShrinkageError, ValueError):
    """An argument has a value that cannot be used; the message names it, the value met and what would be right."""


class DataError(ShrinkageError, ValueError):
    """The data cannot be used as they are; the message names the column or row at fault."""


class ChangedDataError(DataError):
    """Data that are read again are not those that sums were kept of; the message names the rows and the folder."""


class MissingExtraError(ShrinkageError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


class ConvergenceWarning(UserWarning):
    """A strength was returned whose certified relative gap is above the tolerance."""
