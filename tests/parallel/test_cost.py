"""The model of what a step costs: its limits, its inverse, and that it is fed by real measurements."""

import pytest

from k2c.errors import K2CError
from k2c.parallel import Job
from k2c.parallel.cost import (
    EXCHANGES,
    POINTS,
    Link,
    StepCost,
    bandwidth_for,
    fit_link,
    gigabit,
    hierarchical,
    link_in_steps,
    measure_steps,
    needed_links,
    parameter_server,
    predict_here,
    ring,
    speed_up,
    step_seconds,
    tree,
)

STEP = StepCost(forward=0.1, backward=0.2, update=0.01, gradient_bytes=100e6)


def messages_of_a_ring(workers: int, n_bytes: float) -> tuple[int, float]:
    """Play the ring: return the rounds, and the bytes that one worker sends."""
    pieces = [{piece: {rank} for piece in range(workers)} for rank in range(workers)]
    rounds = 0
    while any(len(whose) < workers for mine in pieces for whose in mine.values()):
        sent = []
        for rank in range(workers):
            piece = (rank - rounds) % workers
            sent.append(((rank + 1) % workers, piece, set(pieces[rank][piece])))
        for rank, piece, whose in sent:
            pieces[rank][piece] |= whose
        rounds += 1
    return rounds, rounds * n_bytes / workers


@pytest.mark.parametrize("workers", [2, 3, 4, 7, 16])
def test_the_ring_takes_as_many_messages_as_a_ring_that_is_played(workers):
    rounds, n_bytes = messages_of_a_ring(workers, 1e6)
    link = Link(latency=1e-3, bandwidth=1e6)
    assert ring(workers, 1e6, link) == pytest.approx(rounds * link.latency + n_bytes / link.bandwidth)


def test_who_is_best_depends_on_the_size():
    link = gigabit(10)
    small, large = 64.0, 500e6
    assert tree(64, small, link) < ring(64, small, link)
    assert ring(64, large, link) < tree(64, large, link)
    inside = Link(1e-6, 1e11)
    assert hierarchical(64, small, link, inside, 8) < ring(64, small, link)
    # A server for every worker moves as many bytes as the ring does in the limit.
    assert parameter_server(64, large, link, 64) == pytest.approx(
        ring(1000, large, Link(0, link.bandwidth)), rel=0.01
    )


def test_overlap_hides_the_exchange_until_it_is_longer_than_the_computing():
    slow, fast = gigabit(1), gigabit(1000, latency=1e-6)
    for exchange in EXCHANGES:
        for link in (slow, fast):
            hidden = step_seconds(STEP, 8, link, exchange)
            shown = step_seconds(STEP, 8, link, exchange, overlap=False)
            assert STEP.compute < hidden < shown
    assert step_seconds(STEP, 1, slow) == pytest.approx(STEP.compute)
    assert speed_up(STEP, 8, fast) > 7.9 > 2 > speed_up(STEP, 8, slow)


def test_workers_that_share_cores_take_turns():
    link = Link(1e-5, 1e9)
    two, four = (step_seconds(STEP, n, link, overlap=False, cores=2, contention=1.2) for n in (2, 4))
    assert two == pytest.approx(1.2 * STEP.compute + ring(2, STEP.gradient_bytes, link), rel=1e-3)
    assert four == pytest.approx(2.4 * STEP.compute + ring(4, STEP.gradient_bytes, link), rel=1e-3)


def test_the_bandwidth_for_a_speed_up_gives_that_speed_up():
    bandwidth = bandwidth_for(STEP, 64, 47)
    assert speed_up(STEP, 64, Link(30e-6, bandwidth)) == pytest.approx(47, rel=1e-3)
    assert bandwidth_for(STEP, 64, 63.99, latency=1e-3, overlap=False) is None


def test_every_published_point_comes_with_the_links_that_give_it():
    rows = needed_links(latency=2e-6)
    assert [row["name"] for row in rows] == [point.name for point in POINTS]
    for row in rows:
        assert 0.1 < row["hierarchical"] < 100  # Gbit/s


def test_the_link_is_found_in_times_that_follow_the_model():
    link = Link(1e-4, 2e9)
    times = [(size, ring(4, size, link)) for size in (64, 4096, 262144, 4194304)]
    found = fit_link(times, workers=4)
    assert (found.latency, found.bandwidth) == pytest.approx((link.latency, link.bandwidth))
    with pytest.raises(K2CError, match="at least two sizes"):
        fit_link(times[:1], 2)


@pytest.mark.timeout(300)
def test_one_and_two_workers_are_measured_in_turns_and_predicted_from():
    found = measure_steps(Job("blobs"), (1, 2))
    assert list(found) == [1, 2] and found[2].workers == 2
    assert found[1].exchanges == [] and len(found[2].exchanges) > 2
    for each in found.values():
        assert each.gradient_bytes == 4 * (8 * 32 + 32 + 32 * 3 + 3)
        assert min(each.forward, each.backward, each.update, each.step) > 0
    assert link_in_steps(found[2]).seconds(1e6) > 0
    assert predict_here(found[1], found[2], 2, cores=2) > found[1].alone().compute * 0.99


def test_no_worker_cannot_be_measured():
    with pytest.raises(K2CError, match="1 or more"):
        measure_steps(Job("blobs"), (0, 2))
