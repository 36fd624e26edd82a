"""P(over) at a line from a prediction, and how good probabilities are.

    p_over = sigmoid(intercept + slope * (predicted_value - line) + market * logit(no_vig_over))

`no_vig_over` is that of the offered quote's own two prices. Fitted by Newton's method with a weak opinion beforehand (the
market is right: intercept 0, slope 0, market 1), because two thousand rows decide little; systems without market features
have market = 0 and no such opinion to lean on.
"""

import numpy as np

# Standard deviations of the opinion beforehand: of the intercept, of slope (per standard deviation of the margin), of market.
INTERCEPT_SD, SLOPE_SD, MARKET_SD = 0.1, 0.2, 0.3


def logit(p):
    p = np.clip(np.asarray(p, float), 0.001, 0.999)
    return np.log(p / (1 - p))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def fit(margin, no_vig, over, with_market):
    """{'intercept', 'slope', 'market'} from rows that were decided."""
    scale = max(float(np.std(margin)), 1e-6)
    x = np.c_[np.ones(len(margin)), np.asarray(margin) / scale]
    before, precision = [0.0, 0.0], [INTERCEPT_SD**-2, SLOPE_SD**-2]
    if with_market:
        x, before, precision = np.c_[x, logit(no_vig)], [*before, 1.0], [*precision, MARKET_SD**-2]
    before, precision, b = np.array(before), np.array(precision), np.array(before)
    for _ in range(50):
        p = sigmoid(x @ b)
        gradient = x.T @ (over - p) - precision * (b - before)
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + np.diag(precision), gradient)
        b = b + step
        if np.abs(step).max() < 1e-10:
            break
    return {"intercept": float(b[0]), "slope": float(b[1] / scale), "market": float(b[2]) if with_market else 0.0}


def p_over(calibration, margin, no_vig):
    market = calibration["market"]
    return sigmoid(calibration["intercept"] + calibration["slope"] * np.asarray(margin) + (market * logit(no_vig) if market else 0))


def brier(p, over):
    return float(np.mean((np.asarray(p) - over) ** 2))


def log_loss(p, over):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(over, np.log(p), np.log(1 - p))))
