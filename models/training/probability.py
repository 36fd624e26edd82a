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
    p = np.clip(np.asarray(p, float), 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def fit(margin, no_vig, over, with_market):
    """{'intercept', 'slope', 'market'} from rows that were decided."""
    scale = max(float(np.std(margin)), 1e-6)
    x = np.c_[np.ones(len(margin)), np.asarray(margin) / scale, logit(no_vig) if with_market else np.zeros(len(margin))]
    before = np.array([0.0, 0.0, float(with_market)])
    precision = np.array([INTERCEPT_SD**-2, SLOPE_SD**-2, MARKET_SD**-2])
    b = newton(x, over, before, precision)
    # A higher answer is never less likely over: what comes out negative is nothing, and the rest is fitted without it.
    for i in (1, 2):
        if b[i] < 0:
            x[:, i], before[i] = 0.0, 0.0
            b = newton(x, over, before, precision)
    return {"intercept": float(b[0]), "slope": max(float(b[1] / scale), 0.0), "market": max(float(b[2]), 0.0)}


def newton(x, over, before, precision):
    b = before.copy()
    for _ in range(50):
        p = sigmoid(x @ b)
        gradient = x.T @ (over - p) - precision * (b - before)
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + np.diag(precision), gradient)
        b = b + step
        if np.abs(step).max() < 1e-10:
            break
    return b


def p_over(calibration, margin, no_vig):
    market = calibration["market"]
    z = calibration["intercept"] + calibration["slope"] * np.asarray(margin) + (market * logit(no_vig) if market else 0)
    return np.clip(sigmoid(z), 0.001, 0.999)


def brier(p, over):
    return float(np.mean((np.asarray(p) - over) ** 2))


def log_loss(p, over):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(over, np.log(p), np.log(1 - p))))
