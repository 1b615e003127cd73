"""Look for what ruins medical data sets before a network does: copies, shared patients, labels given away."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from k2c.datasets.audit_checks import CHECKS, AuditCase, Finding, ImageView, grey_range
from k2c.datasets.duplicates import signature
from k2c.datasets.images import ImageError, in_parallel
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.shortcut_checks import traits

MARKS = {"error": "✗", "warning": "!"}
ENOUGH = 160  # pixels of the shorter side that the checks need


@dataclass(frozen=True, repr=False)
class Audit:
    """What was checked, and what was found. Printed, one line per check.

    Attributes
    ----------
    about
        The data set, as its `repr` says.
    findings
        Errors first.
    passed
        A sentence for each check that found nothing, or could not be made.
    """

    about: str
    findings: list[Finding]
    passed: list[str]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __repr__(self) -> str:
        lines = [f"{MARKS[found.severity]} {found.kind}: {found.sentence}" for found in self.findings]
        return "\n".join([f"Audit of {self.about}", *lines, *(f"✓ {sentence}" for sentence in self.passed)])

    def table(self) -> pd.DataFrame:
        """Return one row per finding: kind, severity, number of images, sentence."""
        rows = [(found.kind, found.severity, len(found.rows), found.sentence) for found in self.findings]
        return pd.DataFrame(rows, columns=["kind", "severity", "images", "sentence"])


def audit(
    data: LabelledImages,
    test: LabelledImages | None = None,
    *,
    shortcut_auc: float = 0.7,
    workers: int | None = None,
    progress: bool = False,
) -> Audit:
    """Check a data set, or a training and a test part together. Every image is read once.

    Looked for are: files that cannot be read; images without content, or with few grey levels; the same image
    twice (also saved anew, resized or mirrored), on both sides, or with different labels; patients on both sides;
    labels that contradict the grades, or each other for one eye; and labels that camera or crop give away, which is
    when a small classifier tells them from the size of the files, the surround or the mean colour alone.

    Parameters
    ----------
    data
        All images, or the training part.
    test
        The test part.
    shortcut_auc
        Area under the ROC curve from which camera and crop tell too much.
    workers
        Threads that read images (one per processor by default).
    progress
        Show a progress bar.
    """
    together = data if test is None else data.merge(test)

    def look(row: int) -> ImageView:
        identity = together.identity(row)
        try:
            image = together.image(row, ENOUGH)
            size = together.file_size(row) or image.shape[:2]
            return ImageView(
                identity, None, signature(image), traits(image, size), int(np.ptp(image)), grey_range(image)
            )
        except ImageError as error:
            return ImageView(identity, str(error))

    words = "looking at images" if progress else None
    views = list(in_parallel(look, range(len(together)), workers, words))
    case = AuditCase(together, len(data) if test is not None else None, views, shortcut_auc)
    results = [result for check in CHECKS for result in check(case)]
    findings = [result for result in results if isinstance(result, Finding)]
    findings.sort(key=lambda found: found.severity != "error")
    about = repr(data) if test is None else f"{data!r}, and for testing {test!r}"
    return Audit(about, findings, [result for result in results if isinstance(result, str)])
