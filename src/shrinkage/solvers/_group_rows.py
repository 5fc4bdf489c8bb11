"""Group lasso on working sets wider than tall: Newton's method on a number per group, in systems as large as the rows.

At the solution, β_g = s_g X_g'r with s_g = ‖β_g‖ / (α λ_g) ≥ 0, where r = y - Xβ. So r solves M(s) r = y with
M(s) = I + Σ_g s_g X_g X_g', and s is the minimum over s >= 0 of the convex function

    ½ y'M(s)⁻¹y + ½ α² Σ_g λ_g² s_g,

whose gradient is ½ (α² λ_g² - ‖X_g'r‖²). Steps are made on s and r at once by `RowModel`, and corrected by those before
them (Anderson's acceleration), which makes up for factors of an earlier s.

Sources: the form in s is that of multiple kernel learning, Bach, Lanckriet and Jordan (2004), section 3; Walker and Ni
(2011), Anderson acceleration for fixed-point iterations, SIAM J. Numer. Anal. 49(4).
"""

from dataclasses import dataclass, field

import numpy as np

from shrinkage.solvers._row_model import RowModel

MOST_STEPS, MOST_TRIES = 40, 5
NEAREST = 0.99  # share of the last strength beyond which no strength is tried on the way
ROUNDING = 1e-6  # of what the conditions lacked at first, below which moves in single precision say nothing more
MEMORY = 6  # steps that correct the next one
SLOW = 0.3  # of what the conditions lack, left by a step, above which the factors are made anew
PATIENCE = 6  # steps after which they are made anew in any case
ASTRAY = 10.0  # times what the conditions lacked at best, from which steps are taken back
TOGETHER = 6  # strengths that are checked on all columns at once
NEAR = 0.9  # share of the strength from which groups take part, while slopes are not known
MARGIN = 0.1  # how far slopes may change, as a share of the step in strength
ORDER = 3  # solutions that predict the next one
MOST_GROWTH = 2.0  # what a prediction may multiply a number s by
FARTHEST, WALK = 0.6, 0.7  # a strength below the first share of the last is reached in steps of the second


@dataclass
class _State:
    """Numbers s of the groups that take part, a residual r, and what they say."""

    s: np.ndarray
    r: np.ndarray
    z: np.ndarray  # X'r
    left: np.ndarray  # y - M(s) r
    lengths: np.ndarray  # of z, group by group


@dataclass
class _Memory:
    """The last steps taken, and the changes of the steps proposed."""

    taken: list[np.ndarray] = field(default_factory=list)
    changes: list[np.ndarray] = field(default_factory=list)
    last: np.ndarray | None = None

    def corrected(self, step: np.ndarray) -> np.ndarray:
        """The step, less the multiples of earlier changes that come nearest to it."""
        if self.last is not None:
            self.changes = [*self.changes, step - self.last][-MEMORY:]
        self.last = step
        if not self.changes:
            return step
        changes = np.array(self.changes).T
        shares = np.linalg.lstsq(changes, step, rcond=1e-10)[0]
        return step - (np.array(self.taken[-len(self.changes) :]).T + changes) @ shares


class RowGroups:
    """Minimizes ½ ‖y - Xβ‖² + α Σ_g λ_g ‖β_g‖ at falling α, each from the curve through the last solutions.

    Parameters
    ----------
    y : ndarray of shape (rows,)
    target : float
        Duality gap, on the columns given, at which a strength ends.
    """

    def __init__(self, y: np.ndarray, target: float):
        self.target = target
        self._y = y
        self._own = self._places = np.zeros(0, np.int64)  # working groups that take part, and their columns
        self._model = RowModel(len(y))
        self._coef, self._at = np.zeros(0), np.inf
        self._state: _State | None = None
        self._history: list[tuple[float, np.ndarray, np.ndarray]] = []
        self._known: list[tuple[float, np.ndarray, np.ndarray]] = []  # strengths, residuals and what all columns say

    def stand_at(self, u: np.ndarray, alpha: float) -> None:
        """Go to coefficients of the working columns."""
        self._coef, self._at, self._state, self._history = u, alpha, None, []

    def solve(
        self, X: np.ndarray, starts: np.ndarray, lam: np.ndarray, alphas: np.ndarray, u: np.ndarray, steps: np.ndarray
    ) -> int:
        """Find the coefficients (columns, strengths) and count the steps; returns how many strengths came to an end.

        X (rows, columns) holds the groups side by side, those of earlier calls first.
        """
        if self._state is None:
            self._begin(X, starts, lam)
        done, tries, lost = 0, 0, 0.0
        while done < len(alphas) and tries < MOST_TRIES:
            ahead = alphas[done : done + (TOGETHER if len(self._history) > 1 and not tries else 1)]
            near = self._near(ahead, lost)
            walk = near[0] > ahead[0]
            if lost > 0 and near[0] > NEAREST * self._at:
                break
            found, made, good, lost = self._advance(X, starts, lam, near)
            tries = 0 if good else tries + 1
            if not walk:
                u[:, done : done + good] = found[:, :good]
                steps[done : done + len(made)] += made
                done += good
        if done < len(alphas):
            self._state, self._at = None, np.inf
        return done

    def _near(self, alphas: np.ndarray, lost: float) -> np.ndarray:
        """Those of the first strengths that are not far from the one before, or one on the way to them."""
        if lost > 0:
            return np.array([np.sqrt(self._at * lost)])
        far = np.flatnonzero(alphas < FARTHEST * np.append(self._at, alphas[:-1]))
        if not len(far):
            return alphas
        return alphas[: far[0]] if far[0] else np.array([WALK * self._at])

    def _begin(self, X: np.ndarray, starts: np.ndarray, lam: np.ndarray) -> None:
        """Start from the coefficients given."""
        coef = np.concatenate([self._coef, np.zeros(X.shape[1] - len(self._coef))])
        r = self._y - X @ coef
        z = X.T @ r
        if not np.isfinite(self._at):
            self._at = float((_norms(z, starts) / lam).max())
        self._known = [(self._at, r, z)]
        s = _norms(coef, starts) / (self._at * lam)
        self._take(X, starts, np.flatnonzero(s))
        self._stand(coef, s[self._own])

    def _take(self, X: np.ndarray, starts: np.ndarray, groups: np.ndarray) -> None:
        """Let working groups take part."""
        groups = groups[~np.isin(groups, self._own)]
        if not len(groups):
            return
        sizes = np.diff(starts)[groups]
        places = np.concatenate([np.arange(int(starts[g]), int(starts[g + 1])) for g in groups])
        self._model.append(X.T[places].T, sizes)
        self._own, self._places = np.concatenate([self._own, groups]), np.concatenate([self._places, places])
        state = self._state
        if state is not None:
            z = np.concatenate([state.z, X.T[places] @ state.r])
            s = np.concatenate([state.s, np.zeros(len(groups))])
            self._state = _State(s, state.r, z, state.left, _norms(z, self._model.starts))

    def _stand(self, coef: np.ndarray, s: np.ndarray) -> None:
        """Go to coefficients whose residual is the last one kept."""
        _, r, z = self._known[-1]
        z = z[self._places]
        change = (coef[self._places] - np.repeat(s, np.diff(self._model.starts)) * z).astype(np.float32)
        left = (self._model.columns @ change).astype(np.float64)
        self._state = _State(s, r, z, left, _norms(z, self._model.starts))

    def _advance(
        self, X: np.ndarray, starts: np.ndarray, lam: np.ndarray, alphas: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, int, float]:
        """Coefficients and steps at some strengths, how many have the gap wanted, and the one that got lost or 0."""
        self._take(X, starts, self._predicted(X, starts, lam, float(alphas[-1])))
        self._history = [known for known in self._history if known[0] > alphas[0]]
        found, made, states, ended = np.zeros((X.shape[1], len(alphas)), order="F"), [], [], True
        start, at = self._state, self._at
        for alpha in alphas:
            steps, state, ended = self._descend(lam[self._own], float(alpha))
            made.append(steps)
            if not ended:
                break
            found[self._places, len(states)] = np.repeat(state.s, np.diff(self._model.starts)) * state.z
            states.append(state)
            self._state, self._at = state, float(alpha)
            self._history = [*self._history, (float(alpha), state.s, state.r)][-ORDER - TOGETHER :]
        self._state, self._at = start, at
        good = self._judge(X, starts, lam, alphas[: len(states)], found, states) if states else 0
        return found, np.array(made, dtype=np.int32), good, 0.0 if ended or good < len(states) else float(alphas[good])

    def _predicted(self, X: np.ndarray, starts: np.ndarray, lam: np.ndarray, alpha: float) -> np.ndarray:
        """The groups that may not be zero down to a strength."""
        old = len(self._known[0][2])
        if old < X.shape[1]:
            self._known = [(at, r, np.concatenate([z, X[:, old:].T @ r])) for at, r, z in self._known]
        at, _, z = self._known[-1]
        step = at - alpha
        if len(self._known) == 1:
            return np.flatnonzero(_norms(z, starts) >= NEAR * alpha * lam)
        before, _, then = self._known[-2]
        z = z + step / (before - at) * (z - then)
        return np.flatnonzero(_norms(z, starts) >= (alpha - MARGIN * step) * lam)

    def _judge(
        self, X: np.ndarray, starts: np.ndarray, lam: np.ndarray, alphas: np.ndarray, found: np.ndarray, states: list
    ) -> int:
        """How many of the first strengths have the gap that is wanted; stand at the next one, or at the last."""
        count = len(states)
        R = self._y[:, None] - X @ found[:, :count]
        Z = X.T @ R
        gaps = np.zeros(count)
        for t, (alpha, state) in enumerate(zip(alphas, states, strict=True)):
            ratio = float((_norms(Z[:, t], starts) / (alpha * lam)).max())
            gaps[t] = self._gap(R[:, t], R[:, t], state, alpha * lam[self._own], ratio)
        good = int(np.append(np.flatnonzero(gaps > self.target), count)[0])
        last = min(good, count - 1)
        for t in range(max(last - 1, 0), last + 1):
            self._known = [known for known in self._known if known[0] > alphas[t]][-1:]
            self._known.append((float(alphas[t]), R[:, t].copy(), Z[:, t].copy()))
        self._history = self._history[: len(self._history) - (count - good)]
        self._at = float(alphas[last])
        self._stand(found[:, last], states[last].s)
        return good

    def _gap(self, theta: np.ndarray, r: np.ndarray, state: _State, held: np.ndarray, ratio: float) -> float:
        """The duality gap of β_g = s_g z_g with residual r, and of the multiple of theta that is feasible."""
        share = min(1.0, 1.0 / max(ratio, 1e-300))
        dual = share * (self._y @ theta) - 0.5 * share * share * (theta @ theta)
        return float(0.5 * (r @ r) + held @ (state.s * state.lengths) - dual)

    def _descend(self, lam: np.ndarray, alpha: float) -> tuple[int, _State, bool]:
        """Steps at one strength until the gap on the groups that take part is half of what is wanted; whether it is."""
        state, held, model, memory = self._extrapolated(alpha), alpha * lam, self._model, _Memory()
        best, least, before, first, since, made_at, steps = state, np.inf, np.inf, np.inf, 0, -2, 0
        for steps in range(MOST_STEPS):
            ratio = state.lengths / held
            beyond = np.where(state.s > 0, np.abs(ratio - 1), np.maximum(ratio - 1, 0))
            missed = max(float(beyond.max(initial=0.0)), float(np.linalg.norm(state.left) / np.linalg.norm(self._y)))
            if missed < least:
                best, least = state, missed
            first = missed if steps == 0 else first
            if self._ends(state, held, float(ratio.max(initial=0.0))) or missed <= ROUNDING * first:
                return steps, state, True
            astray = not missed < ASTRAY * least
            slow = since >= 2 and missed > SLOW * before
            move = None
            if model.ready and not astray and not (made_at < 0 and (slow or since >= PATIENCE)):
                move = model.step(state.s, state.z, state.lengths, held, state.left)
            if move is None:
                state = best if astray else state
                if made_at == steps - 1 or not model.make(state.s, state.z, state.lengths):
                    break
                memory, since, made_at = _Memory(), 0, steps
                move = model.step(state.s, state.z, state.lengths, held, state.left)
                if move is None:
                    break
            before, since = missed, since + 1
            state = self._moved(state, memory.corrected(move), memory)
        return steps, best, False

    def _ends(self, state: _State, held: np.ndarray, ratio: float) -> bool:
        """Whether the gap is half of what is wanted, first as if M(s) r = y, then by the residual."""
        r = state.r + state.left
        if self._gap(state.r, r, state, held, ratio) > 0.5 * self.target:
            return False
        z = state.z + self._model.columns.T @ state.left.astype(np.float32)
        ratio = float((_norms(z, self._model.starts) / held).max(initial=0.0))
        return self._gap(r, r, state, held, ratio) <= 0.7 * self.target

    def _moved(self, state: _State, move: np.ndarray, memory: _Memory) -> _State:
        """The state after a step, which the memory takes down."""
        own = len(state.s)
        unit = np.maximum(state.lengths, 1e-300)
        s = np.maximum(state.s + move[:own] / unit, 0.0)
        memory.taken.append(np.concatenate([(s - state.s) * unit, move[own:]]))
        return self._there(state, s, move[own:])

    def _there(self, state: _State, s: np.ndarray, dr: np.ndarray) -> _State:
        sizes = np.diff(self._model.starts)
        dr = dr.astype(np.float32).astype(np.float64)
        z, change = self._model.moved(dr, s, state.z, np.repeat(state.s, sizes) * state.z)
        return _State(s, state.r + dr, z, state.left - dr - change, _norms(z, self._model.starts))

    def _extrapolated(self, alpha: float) -> _State:
        """The last state, moved along the curve through the last solutions; s as a power of the strength."""
        state, own = self._state, len(self._own)
        assert state is not None
        known = self._history[-ORDER:]
        if not alpha < self._at or len(known) < 2 or known[-1][0] != self._at:
            return state
        shares = _shares(np.log([at for at, _, _ in known]), np.log(alpha))
        known = known[-len(shares) :]
        S = np.array([np.concatenate([s, np.zeros(own - len(s))]) for _, s, _ in known])
        s, all_on = S[-1].copy(), (S > 0).all(axis=0)
        growth = np.clip(np.exp(shares @ np.log(S[:, all_on])) / s[all_on], 1 / MOST_GROWTH, MOST_GROWTH)
        s[all_on] *= growth
        r = sum(share * r for share, (_, _, r) in zip(shares, known, strict=True))
        return self._there(state, s, r - state.r)


def _shares(at: np.ndarray, to: float) -> np.ndarray:
    """What each of the last points counts in the polynomial through them, of them as many as keep that steady."""
    own = at
    while True:
        shares = np.array([np.prod([(to - b) / (a - b) for b in own if b != a]) for a in own])
        if np.abs(shares).sum() <= 8:
            return shares
        own = own[1:]


def _norms(z: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Euclidean norms of groups of columns."""
    return np.sqrt(np.add.reduceat(z * z, starts[:-1])) if len(z) else np.zeros(0)
