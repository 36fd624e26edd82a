"""The walk forward: the future changes no figure, trees say what the libraries say, and the line is moved as described.

    TIPOFF_DATA=DIR python -m unittest discover -s models/training
"""

import os
import unittest
from unittest import mock

import numpy as np

import ensemble
import features
import probability
import systems
import train
import walk
from onnx_trees import Trees

DATA = os.environ.get("TIPOFF_DATA")


class StackTest(unittest.TestCase):
    def test_trees_move_the_line_as_the_formula_does(self):
        width = len(systems.own_features("assists"))
        own = ensemble.Ensemble([[("BRANCH_GT", 0, 3.0, 1, 2, False), 6.0, 2.0]], 0.5)
        for slope, share in [(8, 0.2), (25, 0.0), (0, 0.3), (4, 0.1)]:
            names, trees = systems.stacked(own, "assists", slope, share)
            model = Trees(ensemble.to_onnx(trees, len(names)))
            for first, line, no_vig in [(5, 4.5, 0.53), (1, 0.5, 0.47), (5, 7.0, 0.5), (1, 2.5, np.nan), (5, 3.5, 0.7)]:
                row = ([first] + [np.nan] * (width - 1) + [line, no_vig])[-len(names) :]
                want = systems.margin([6.5 if first > 3 else 2.5], [line], [no_vig], slope, share)[0]
                self.assertAlmostEqual(model.predict(row), want, places=5)

    def test_prices_move_the_line_by_half_a_point_at_most(self):
        moves = systems.price_move([0.5, 0.51, 0.6, 0.9, 0.1, np.nan], 12)
        self.assertEqual((moves[0], moves[5]), (0, 0))
        self.assertTrue(0 < moves[1] < moves[2] <= moves[3] and moves[3] == -moves[4] <= 0.5)


class ProbabilityTest(unittest.TestCase):
    def test_calibration_finds_what_made_the_results(self):
        rng = np.random.default_rng(3)
        margin, no_vig = rng.normal(0, 1, 40_000), rng.uniform(0.35, 0.65, 40_000)
        p = probability.sigmoid(0.1 + 0.3 * margin + probability.logit(no_vig))
        found = probability.fit(margin, no_vig, (rng.random(40_000) < p).astype(float), with_market=True)
        self.assertAlmostEqual(found["slope"], 0.3, delta=0.05)
        self.assertAlmostEqual(found["market"], 1.0, delta=0.1)
        self.assertEqual(probability.fit(margin, no_vig, p > 0.5, with_market=False)["market"], 0.0)

    def test_a_higher_answer_is_never_less_likely_over(self):
        margin = np.linspace(-1, 1, 400)
        found = probability.fit(margin, np.full(400, 0.5), (margin < 0).astype(float), with_market=True)
        self.assertEqual(found["slope"], 0.0)

    def test_few_rows_leave_the_market_as_it_is(self):
        found = probability.fit(np.array([0.1, -0.1]), np.array([0.5, 0.55]), np.array([1.0, 0.0]), with_market=True)
        self.assertAlmostEqual(found["market"], 1.0, delta=0.1)
        self.assertAlmostEqual(found["intercept"], 0.0, delta=0.05)


@unittest.skipIf(DATA is None, "TIPOFF_DATA is not set: the real files are not here")
class LeakTest(unittest.TestCase):
    def test_incident_77_adding_the_future_changes_no_figure(self):
        short_walk = {"PAST_FOLDS": walk.PAST_FOLDS[:1], "WEEKS": walk.WEEKS[:2], "MOST_ROUNDS": 10, "START": "2024-01-01"}
        found = []
        with mock.patch.multiple(walk, **short_walk):
            for until in (walk.WEEKS[-1][1], "2025-11-16"):
                table = walk.usable(features.build(DATA, walk.START, "2025-11-16", until=until))
                fits, _ = walk.run(table, set(), 1, ["assists"])
                judged = walk.judge(table, fits, ["assists"])
                found.append({key: (train.figures(j.rows), j.calibration) for key, j in judged.items() if j.calibration})
        self.assertEqual(found[0], found[1])
        self.assertEqual(len(found[0]), 6)


if __name__ == "__main__":
    unittest.main()
