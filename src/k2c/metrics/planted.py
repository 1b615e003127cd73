"""Two files of scores with planted differences, for the exercise that compares them finding by finding."""

import numpy as np


def planted_scores(better: dict[int, float], seed: int = 0, patients: int = 120) -> tuple[np.ndarray, ...]:
    """Return two models' scores for 14 findings; they differ only where it is planted.

    Parameters
    ----------
    better
        By how much the first model separates a finding better (negative: worse), in standard deviations, by the
        finding's number.
    seed
        Of what is drawn.
    patients
        Each has one to four films, and what makes one of his films hard makes all of them hard.

    Returns
    -------
    scores_a, scores_b, truth, patient
        float64 (N, 14) twice, int64 (N, 14) and int64 (N,).
    """
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), generator.integers(1, 5, patients))
    truth = (generator.random((len(patient), 14)) < 0.15).astype(int)
    hard = generator.normal(size=(patients, 14))[patient] + 0.3 * generator.normal(size=truth.shape)
    gain = np.array([better.get(number, 0.0) for number in range(14)])
    a, b = (truth * (1 + more) + hard + 0.5 * generator.normal(size=truth.shape) for more in (gain, 0 * gain))
    return a, b, truth, patient
