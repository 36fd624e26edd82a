"""A small network: two hidden layers, trained on the absolute error, in numpy.

Its arithmetic, which a card describes in `[network]` and README.md spells out: a feature x becomes (x - mean) / scale, kept
within -limit..limit, or 0 when missing; after these values come the flags, 1 for missing, else 0. Then per layer
`weight @ h + bias`, with max(0, .) between layers. The last layer answers in the market's unit.
"""

import numpy as np
from safetensors.numpy import save

HIDDEN, LIMIT, BATCH, RATE, DECAY = (64, 32), 6.0, 512, 2e-3, 1e-4


class Network:
    """Weights in float32, as they are stored; answers in float64."""

    def __init__(self, mean, scale, layers):
        self.mean, self.scale, self.layers = mean, scale, layers

    def inputs(self, x):
        x = np.asarray(x, float)
        missing = np.isnan(x)
        value = np.clip((np.where(missing, 0, x) - self.mean) / self.scale, -LIMIT, LIMIT)
        return np.c_[np.where(missing, 0, value), missing]

    def predict(self, x):
        h = self.inputs(x)
        for i, (weight, bias) in enumerate(self.layers):
            h = h @ weight.astype(float).T + bias.astype(float)
            h = np.maximum(h, 0) if i + 1 < len(self.layers) else h
        return h[:, 0]

    def safetensors(self):
        parts = {}
        for i, (weight, bias) in enumerate(self.layers):
            parts |= {f"layers.{i}.weight": np.ascontiguousarray(weight), f"layers.{i}.bias": np.ascontiguousarray(bias)}
        return save(parts)

    def card(self):
        """The card's table."""
        reals = lambda v: f"[{', '.join(repr(float(x)) for x in v)}]"
        return {
            "layers": str([len(bias) for _, bias in self.layers]),
            "activation": '"relu"',
            "missing": '"mean_and_flag"',
            "limit": repr(LIMIT),
            "mean": reals(self.mean),
            "scale": reals(self.scale),
        }


def train(x, y, weight, epochs, later=None, seed=42):
    """(network, epochs). With later rows, the epoch that served them best, patience three."""
    rng = np.random.default_rng(seed)
    mean = np.where(np.isnan(x).all(0), 0, np.nanmean(np.where(np.isnan(x).all(0), 0, x), axis=0))
    spread = np.nanstd(np.where(np.isnan(x).all(0), 0, x), axis=0)
    net = Network(mean, np.where(spread > 1e-9, spread, 1.0), [])
    h0 = net.inputs(x).astype(np.float32)
    middle, width = float(np.median(y)), float(np.std(y))
    target, weight = ((y - middle) / width).astype(np.float32), (weight / weight.mean()).astype(np.float32)
    sizes = [h0.shape[1], *HIDDEN, 1]
    params = []
    for a, b in zip(sizes, sizes[1:]):
        params += [rng.normal(0, np.sqrt(2 / a), (b, a)).astype(np.float32), np.zeros(b, np.float32)]
    state = [(np.zeros_like(p), np.zeros_like(p)) for p in params]
    step, best, patience = 0, (np.inf, 0, params), 0
    total = epochs * (len(y) // BATCH)
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(y))
        for at in range(0, len(y) - BATCH + 1, BATCH):
            rows, step = order[at : at + BATCH], step + 1
            rate = RATE * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * step / total)))
            adam(params, state, gradients(params, h0[rows], target[rows], weight[rows]), rate, step)
        if later is not None:
            error = np.average(np.abs(finished(net, params, middle, width).predict(later[0]) - later[1]), weights=later[2])
            patience = 0 if error < best[0] else patience + 1
            best = (error, epoch, [p.copy() for p in params]) if error < best[0] else best
            if patience >= 3:
                break
    return (finished(net, best[2], middle, width), best[1]) if later is not None else (finished(net, params, middle, width), epochs)


def gradients(params, h, target, weight):
    """Of the weighted absolute error, smoothed within a tenth of a deviation."""
    hs = [h]
    for i in range(0, len(params), 2):
        h = h @ params[i].T + params[i + 1]
        h = np.maximum(h, 0) if i + 2 < len(params) else h
        hs.append(h)
    d = (np.clip((h[:, 0] - target) / 0.1, -1, 1) * weight / len(target))[:, None].astype(np.float32)
    out = [None] * len(params)
    for i in range(len(params) - 2, -1, -2):
        out[i], out[i + 1] = d.T @ hs[i // 2], d.sum(0)
        d = (d @ params[i]) * (hs[i // 2] > 0) if i else d
    return out


def adam(params, state, grads, rate, step):
    for i, (p, (m, v), g) in enumerate(zip(params, state, grads)):
        m += 0.1 * (g - m)
        v += 0.001 * (g * g - v)
        change = rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        params[i] = p - change - (rate * DECAY * p if p.ndim == 2 else 0)


def finished(net, params, middle, width):
    """The last layer takes the target's scale in."""
    layers = [[params[i].astype(np.float32), params[i + 1].astype(np.float32)] for i in range(0, len(params), 2)]
    weight, bias = layers[-1]
    layers[-1] = [(weight * width).astype(np.float32), (bias * width + middle).astype(np.float32)]
    return Network(net.mean, net.scale, layers)
