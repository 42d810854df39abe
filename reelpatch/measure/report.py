"""The measures as lines for people."""

from reelpatch.measure.measures import Measures


def report(measures: Measures) -> str:
    """One line for each measure; lines end in newlines."""
    outside, inside = ("outside", "inside") if measures.has_mask else ("overall", "overall")
    lines = [
        f"{outside}: PSNR {_number(measures.psnr_outside)} dB, SSIM {_number(measures.ssim_outside)}, "
        f"{measures.changed_outside} values of 8 bits differ",
        f"{inside}: changed by {_number(measures.change_inside)} levels",
    ]
    if measures.flicker is None:
        lines.append("flicker: not measured, OpenCV is not installed (pip install opencv-python-headless)")
    for name, flicker in (("flicker", measures.flicker), ("flicker inside", measures.flicker_inside)):
        if flicker is not None:
            lines.append(
                f"{name}: {_number(flicker.after)} levels, the source {_number(flicker.before)} "
                f"({_number(flicker.ratio)} times)"
            )
    if drift := measures.drift:
        lines.append(
            f"colour drift: {_number(drift.trend)} levels from first to last, at most {_number(drift.largest)}"
        )
    lines += [
        f"join before frame {join.frame}: {_number(join.visibility)} times the change around it, "
        f"in the source {_number(join.of_source)}"
        for join in measures.joins
    ]
    return "".join(f"{line}\n" for line in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
