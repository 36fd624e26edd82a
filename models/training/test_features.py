"""Adding the future changes no feature of the past, and windows are what a loop would say.

    TIPOFF_DATA=DIR python -m unittest discover -s models/training
"""

import os
import unittest

import numpy as np
import pandas as pd

import features
from windows import Windows

DATA = os.environ.get("TIPOFF_DATA")


class WindowTest(unittest.TestCase):
    def test_windows_agree_with_loops(self):
        rng = np.random.default_rng(7)
        group = np.sort(rng.integers(0, 5, 300))
        day = np.concatenate([np.sort(rng.choice(900, (group == g).sum(), replace=False)) for g in range(5)])
        x = rng.integers(0, 40, 300)
        w = Windows(group, day)
        start = w.last(7, w.since(60))
        mean, std, slope = w.mean(x, start), w.std(x, start), w.slope(x, start, least=4)
        for i in range(300):
            before = [x[j] for j in range(i) if group[j] == group[i] and day[i] - 60 <= day[j] < day[i]][-7:]
            if not before:
                self.assertTrue(np.isnan(mean[i]) and np.isnan(std[i]))
                continue
            self.assertAlmostEqual(mean[i], np.mean(before))
            self.assertAlmostEqual(std[i], np.std(before))
            if len(before) >= 4:
                self.assertAlmostEqual(slope[i], np.polyfit(range(len(before)), before, 1)[0])
            else:
                self.assertTrue(np.isnan(slope[i]))


@unittest.skipIf(DATA is None, "TIPOFF_DATA is not set: the real files are not here")
class LeakTest(unittest.TestCase):
    def test_incident_77_adding_the_future_changes_no_feature(self):
        for day in ("2024-03-29", "2024-12-20", "2025-11-02"):
            then = features.build(DATA, day, day, until=day)
            now = features.build(DATA, day, day)
            pd.testing.assert_frame_equal(then, now, check_exact=True)
            self.assertGreater(len(then), 50)

    def test_the_days_own_results_are_not_read(self):
        day = "2025-11-02"
        box = features.raw.box_scores
        honest = features.build(DATA, day, day)

        def other_results(data):
            table = box(data)
            table.loc[table.game_date >= day, ["pts", "reb", "ast", "fg3m", "fga", "ftm", "fta", "tov"]] += 5
            return table

        features.raw.box_scores = other_results
        try:
            changed = features.build(DATA, day, day)
        finally:
            features.raw.box_scores = box
        names = [f["name"] for f in features.contract()]
        pd.testing.assert_frame_equal(honest[names], changed[names], check_exact=True)
        self.assertFalse(honest.points.equals(changed.points))


if __name__ == "__main__":
    unittest.main()
