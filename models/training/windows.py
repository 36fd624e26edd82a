"""Sums over windows of earlier rows, for a whole history at once.

Rows are in order of group (a player, a team) and day. A window of row i is `[start[i], i)`: rows of the same group before it,
so a row never sees itself, nor anything later. Counts of a box score are whole numbers, and their running sums, squares and
products stay far below 2^53, so every sum is exact and means and deviations are as good as computed one by one. Fractions are
put on a grid of 2^-24 first, so that their sums are exact too and no later row can disturb the last digit of an earlier one.
"""

import numpy as np

GRAIN = float(1 << 24)


class Windows:
    """Windows over rows sorted by (group, day)."""

    def __init__(self, group, day):
        _, self.group = np.unique(np.asarray(group), return_inverse=True)
        assert (np.diff(self.group) >= 0).all() or self._grouped(), "rows of one group must be together"
        change = np.r_[True, self.group[1:] != self.group[:-1]]
        self.rows = np.arange(len(self.group))
        self.first = np.maximum.accumulate(np.where(change, self.rows, 0))
        self.day = np.asarray(day, np.int64)
        self.order = np.cumsum(change) - 1
        assert (np.diff(self.day)[~change[1:]] >= 0).all(), "days of one group must ascend"

    def _grouped(self):
        change = self.group[1:] != self.group[:-1]
        return change.sum() + 1 == len(np.unique(self.group))

    def since(self, days):
        """Start of the window of rows at most `days` days back."""
        wide = np.int64(1 << 20)
        key = self.order * wide + self.day
        return np.maximum(self.first, np.searchsorted(key, self.order * wide + self.day - days))

    def last(self, n, start=None):
        """Start of the window of the last n rows, not before `start`."""
        return np.maximum(self.first if start is None else start, self.rows - n)

    def of_same(self, label):
        """Start of the run of rows with the label of row i that ends at i."""
        label = np.asarray(label)
        change = np.r_[True, label[1:] != label[:-1]] | (self.rows == self.first)
        return np.maximum.accumulate(np.where(change, self.rows, 0))

    def count(self, start):
        return (self.rows - start).astype(float)

    def total(self, x, start):
        """Sum over the window; 0 for an empty one."""
        run = np.r_[0.0, np.cumsum(np.round(np.asarray(x, float) * GRAIN) / GRAIN)]
        return run[self.rows] - run[start]

    def mean(self, x, start):
        """Mean over the window; NaN for an empty one."""
        return ratio(self.total(x, start), self.count(start))

    def std(self, x, start):
        """Population standard deviation; NaN for an empty window. `x` must be whole numbers."""
        x = np.asarray(x, float)
        n = self.count(start)
        return np.sqrt(ratio(np.maximum(n * self.total(x * x, start) - self.total(x, start) ** 2, 0), n * n))

    def slope(self, y, start, least):
        """Least-squares slope of y over the window against 0, 1, 2 …; NaN below `least` rows."""
        y = np.asarray(y, float)
        n = self.count(start)
        with_position = self.total(y * self.rows, start) - start * self.total(y, start)
        up = n * with_position - n * (n - 1) / 2 * self.total(y, start)
        out = ratio(12 * up, n * n * (n * n - 1))
        return np.where(n >= max(least, 2), out, np.nan)


def ratio(a, b):
    """a / b, NaN where b is 0."""
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    return np.divide(a, b, out=np.full(a.shape, np.nan), where=b != 0)
